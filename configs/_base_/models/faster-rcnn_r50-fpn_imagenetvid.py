# Single-frame Faster R-CNN on a feature pyramid (Lin et al., CVPR 2017):
# ResNet-50, strides 4 to 64; one fc before the relation, as in RDN.
_base_ = './faster-rcnn_r101-dc5_imagenetvid.py'
pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),  # pixels
    rpn_in_indices=None,  # all levels
    roi_in_indices=None,
    detector=dict(
        backbone=dict(
            depth=50,
            out_indices=(0, 1, 2, 3),
            strides=(1, 2, 2, 2),
            dilations=(1, 1, 1, 1),
            init_cfg=dict(checkpoint=pretrained),
        ),
        neck=dict(type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),
        rpn_head=dict(
            in_channels=256,
            feat_channels=256,
            anchor_generator=dict(
                scales=[8],  # times the stride: 32 to 512 pixels
                strides=[4, 8, 16, 32, 64],
            ),
        ),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=256, featmap_strides=[4, 8, 16, 32]), bbox_head=dict(in_channels=256)
        ),
        # -------------------------- rarely changed ---------------------------
        train_cfg=dict(rpn_proposal=dict(nms_pre=2000)),  # of each level
        test_cfg=dict(rpn=dict(nms_pre=1000)),
    ),
)
