# SELSA + Seq-NMS, ResNet-50.
_base_ = './selsa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'
val_evaluator = dict(linker=dict(type='mmrdn.SeqNMS'))
test_evaluator = val_evaluator
