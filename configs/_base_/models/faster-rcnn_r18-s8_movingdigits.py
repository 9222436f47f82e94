# Single-frame Faster R-CNN small enough to train from scratch on a CPU.
# ----------------------------- often changed ---------------------------------
num_classes = 10
channels = 64  # of the feature map that RPN and the RoI head see
fc_channels = 256  # of a proposal's feature vector

# ---------------------------- possibly changed -------------------------------
model = dict(
    type='RDN',
    data_preprocessor=dict(
        type='TrackDataPreprocessor',
        mean=[123.675, 116.28, 103.53],  # RGB, grey levels
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=16,  # pixels
    ),
    temporal_range=0,  # frames
    detector=dict(
        _scope_='mmdet',
        type='FasterRCNN',
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=32,
            num_stages=3,
            strides=(1, 2, 1),  # stride 8 in all
            dilations=(1, 1, 1),
            out_indices=(2,),
            norm_eval=False,
            init_cfg=dict(type='Kaiming', layer='Conv2d'),
        ),
        neck=dict(type='ChannelMapper', in_channels=[128], out_channels=channels, kernel_size=3),
        rpn_head=dict(
            type='RPNHead',
            in_channels=channels,
            feat_channels=channels,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[3.5, 5.5],  # times the stride: 28 and 44 pixels
                ratios=[1.0, 1.6],  # height / width
                strides=[8],
            ),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9),
        ),
        roi_head=dict(
            type='mmrdn.RDNRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=1),
                out_channels=channels,
                featmap_strides=[8],
            ),
            bbox_head=dict(
                type='mmrdn.RDNBBoxHead',
                in_channels=channels,
                fc_out_channels=fc_channels,
                roi_feat_size=7,
                num_classes=num_classes,
                reg_class_agnostic=True,
            ),
        ),
        # -------------------------- rarely changed ---------------------------
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, ignore_iof_thr=-1
                ),
                sampler=dict(type='RandomSampler', num=128, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=dict(nms_pre=300, max_per_img=64, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, ignore_iof_thr=-1
                ),
                sampler=dict(type='RandomSampler', num=64, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
                pos_weight=-1,
                debug=False,
            ),
        ),
        test_cfg=dict(
            rpn=dict(nms_pre=300, max_per_img=64, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(score_thr=0.001, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
        ),
    ),
)
