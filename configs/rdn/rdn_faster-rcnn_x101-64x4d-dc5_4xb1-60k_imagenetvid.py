# ResNeXt-101-64x4d: the full RDN, phase 2.
_base_ = ['./rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid.py', '../_base_/models/x101-64x4d.py']
model = dict(detector=dict(backbone=_base_.pop('x101_64x4d')))
load_from = 'work_dirs/rdn-basic_faster-rcnn_x101-64x4d-dc5_4xb1-120k_imagenetvid/iter_120000.pth'
