# ResNeXt-101-64x4d: phase 1 of RDN.
_base_ = './rdn-basic_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid.py'
model = dict(
    detector=dict(
        backbone=dict(
            type='ResNeXt', groups=64, base_width=4, init_cfg=dict(checkpoint='open-mmlab://resnext101_64x4d')
        )
    )
)
