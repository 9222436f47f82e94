# RDN + tube linking, ResNet-50.
_base_ = './rdn_faster-rcnn_r50-dc5_4xb1-60k_imagenetvid.py'
val_evaluator = dict(linker=dict(type='TubeLinking'))
test_evaluator = val_evaluator
