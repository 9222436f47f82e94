# FGFA + tube linking, ResNet-101.
_base_ = './fgfa_faster-rcnn_r101-dc5_8xb1-7e_imagenetvid.py'
val_evaluator = dict(linker=dict(type='mmrdn.TubeLinking'))
test_evaluator = val_evaluator
