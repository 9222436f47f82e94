# ResNet-50: the full RDN, phase 2.
_base_ = './rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid.py'
pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(detector=dict(backbone=dict(depth=50, init_cfg=dict(checkpoint=pretrained))))
load_from = 'work_dirs/rdn-basic_faster-rcnn_r50-dc5_4xb1-120k_imagenetvid/iter_120000.pth'
