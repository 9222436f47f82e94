# SELSA + Seq-NMS, ResNet-101.
_base_ = './selsa_faster-rcnn_r101-dc5_8xb1-7e_imagenetvid.py'
val_evaluator = dict(linker=dict(type='mmrdn.SeqNMS'))
test_evaluator = val_evaluator
