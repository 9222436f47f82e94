# RDN + Seq-NMS, on moving digits.
_base_ = './rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
val_evaluator = dict(linker=dict(type='SeqNMS'))
test_evaluator = val_evaluator
