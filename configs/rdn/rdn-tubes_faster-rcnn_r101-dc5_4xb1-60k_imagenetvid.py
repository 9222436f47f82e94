# Table 2: RDN + tube linking.
_base_ = './rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid.py'
val_evaluator = dict(linker=dict(type='TubeLinking'))
test_evaluator = val_evaluator
