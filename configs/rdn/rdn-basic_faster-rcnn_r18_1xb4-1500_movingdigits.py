# Table 3, row 3, on moving digits: the basic stage only.
_base_ = './rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
model = dict(neck=dict(advanced=False))
