# Single-frame Faster R-CNN of the paper (section 4): ResNet-101 whose last
# stage keeps stride 16 by dilation; RPN on conv4, RoI features from conv5.
# ----------------------------- often changed ---------------------------------
num_classes = 30

# ---------------------------- possibly changed -------------------------------
# The paper says "RoI pooling"; RoIAlign is what detectors of its time and
# framework used. roi_layer=dict(type='RoIPool', output_size=7) is the literal
# reading (mmcv has it for GPUs only).
roi_layer = dict(type='RoIAlign', output_size=7, sampling_ratio=0)

pretrained = 'https://download.pytorch.org/models/resnet101-63fe2227.pth'
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
    rpn_in_indices=(0,),  # conv4
    roi_in_indices=(1,),  # conv5
    detector=dict(
        _scope_='mmdet',
        type='FasterRCNN',
        backbone=dict(
            type='ResNet',
            depth=101,
            num_stages=4,
            out_indices=(2, 3),
            strides=(1, 2, 2, 1),
            dilations=(1, 1, 1, 2),
            frozen_stages=1,
            norm_cfg=dict(type='BN', requires_grad=False),
            norm_eval=True,
            style='pytorch',
            init_cfg=dict(type='Pretrained', checkpoint=pretrained),
        ),
        rpn_head=dict(
            type='RPNHead',
            in_channels=1024,
            feat_channels=1024,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[4, 8, 16, 32],  # 64, 128, 256, 512 pixels
                ratios=[0.5, 1.0, 2.0],  # height / width
                strides=[16],
            ),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[1.0, 1.0, 1.0, 1.0]
            ),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0),
        ),
        roi_head=dict(
            type='mmrdn.RDNRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor', roi_layer=roi_layer, out_channels=2048, featmap_strides=[16]
            ),
            bbox_head=dict(
                type='mmrdn.RDNBBoxHead',
                in_channels=2048,
                fc_out_channels=1024,
                roi_feat_size=7,
                num_classes=num_classes,
                bbox_coder=dict(
                    type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[0.1, 0.1, 0.2, 0.2]
                ),
                loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
            ),
        ),
        # -------------------------- rarely changed ---------------------------
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, ignore_iof_thr=-1
                ),
                sampler=dict(type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
                allowed_border=0,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=dict(
                nms_pre=6000,
                max_per_img=300,  # N
                nms=dict(type='nms', iou_threshold=0.7),
                min_bbox_size=0,
            ),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, ignore_iof_thr=-1
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=128,
                    pos_fraction=0.25,  # positives : negatives = 1 : 3
                    neg_pos_ub=-1,
                    add_gt_as_proposals=True,
                ),
                pos_weight=-1,
                debug=False,
            ),
        ),
        test_cfg=dict(
            rpn=dict(
                nms_pre=6000,
                max_per_img=300,  # N
                nms=dict(type='nms', iou_threshold=0.7),
                min_bbox_size=0,
            ),
            rcnn=dict(score_thr=0.001, nms=dict(type='nms', iou_threshold=0.5), max_per_img=300),
        ),
    ),
)
