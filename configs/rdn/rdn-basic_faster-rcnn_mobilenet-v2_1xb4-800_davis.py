# RDN on DAVIS: the basic stage only.
_base_ = './rdn_faster-rcnn_mobilenet-v2_1xb4-800_davis.py'
model = dict(neck=dict(advanced=False))
