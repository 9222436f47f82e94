# ResNeXt-101-64x4d: single frames.
_base_ = ['./single-frame_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid.py', '../_base_/models/x101-64x4d.py']
model = dict(detector=dict(backbone=_base_.pop('x101_64x4d')))
