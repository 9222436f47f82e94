# ResNet-50: phase 1 of RDN.
_base_ = './rdn-basic_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid.py'
pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(detector=dict(backbone=dict(depth=50, init_cfg=dict(checkpoint=pretrained))))
