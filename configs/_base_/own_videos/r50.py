# RDN of the paper with ResNet-50, in one phase.
_base_ = './r101.py'
pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(detector=dict(backbone=dict(depth=50, init_cfg=dict(checkpoint=pretrained))))
