# RDN on a feature pyramid, on moving digits: strides 4, 8 and 16.
_base_ = './rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
model = dict(
    detector=dict(
        backbone=dict(strides=(1, 2, 2), out_indices=(0, 1, 2)),
        neck=dict(_delete_=True, type='FPN', in_channels=[32, 64, 128], out_channels=_base_.channels, num_outs=3),
        rpn_head=dict(
            anchor_generator=dict(
                scales=[3.5, 5.5],  # times the stride: 14 to 88 pixels
                strides=[4, 8, 16],
            )
        ),
        roi_head=dict(
            bbox_roi_extractor=dict(
                featmap_strides=[4, 8, 16],
                finest_scale=16,  # pixels: boxes below 32 on stride 4
            )
        ),
    )
)
