# ResNet-50: the full RDN, phase 2.
_base_ = './rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid.py'
model = dict(
    detector=dict(
        backbone=dict(
            depth=50, init_cfg=dict(checkpoint='torchvision://resnet50'))))
load_from = 'work_dirs/rdn-basic_faster-rcnn_r50-dc5_4xb1-120k_imagenetvid/iter_120000.pth'  # noqa: E501
