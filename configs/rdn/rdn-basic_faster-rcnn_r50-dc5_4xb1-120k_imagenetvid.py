# ResNet-50: phase 1 of RDN.
_base_ = './rdn-basic_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid.py'
model = dict(
    detector=dict(
        backbone=dict(
            depth=50, init_cfg=dict(checkpoint='torchvision://resnet50'))))
