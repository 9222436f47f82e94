# Single-frame Faster R-CNN of the public MEGA repository, to the letter: its
# weights fit after tools/model_converters/mega_to_mmrdn.py. Conventions of
# Caffe and of maskrcnn-benchmark:
# - ResNet: stride in the 1x1 convolutions; stem and stage 1 are frozen in
#   training, batch norm everywhere. Theirs adds no epsilon to the variance:
#   the converter takes ours off.
# - Images: BGR, 0-255, minus means; no division, no padding.
# - Stage 4 is the RoI head's, and runs on the whole map: here a part of the
#   backbone that RPN does not see.
# - Boxes include their last pixel: width = x2 - x1 + 1 in anchors, deltas, NMS
#   and relation; clipped to [0, width - 1]. Proposals of any size are kept.
# - Deltas: log sizes are clipped at log(1000 / 16), from above alone.
# - RoIAlign without the half-pixel shift (aligned=False).
# - NMS in the pixels of the input, then boxes are brought to the frame.
# - Supports are the top 75 of the 300 proposals: NMS goes by descending
#   objectness, so that its first 75 are those of NMS with a limit of 75.
# Not so here: in training, IoU with the ground truth is that of mmdet, without
# the last pixel; and mmdet's NMS tells classes apart by shifting boxes, which
# moves IoU by rounding, less than 1e-4.
# ----------------------------- often changed ---------------------------------
num_classes = 30

# ---------------------------- possibly changed -------------------------------
rpn_nms = dict(type='nms', iou_threshold=0.7, offset=1)  # offset: pixels

model = dict(
    type='RDN',
    data_preprocessor=dict(
        type='TrackDataPreprocessor',
        mean=[102.9801, 115.9465, 122.7717],  # BGR, grey levels
        std=[1.0, 1.0, 1.0],
        bgr_to_rgb=False,
        pad_size_divisor=1),  # pixels
    temporal_range=0,  # frames
    rpn_in_indices=(0, ),  # conv4
    roi_in_indices=(1, ),  # conv5
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
            style='caffe',
            init_cfg=dict(
                type='Pretrained',
                checkpoint='open-mmlab://detectron2/resnet101_caffe')),
        rpn_head=dict(
            type='RPNHead',
            in_channels=1024,
            feat_channels=1024,
            anchor_generator=dict(
                type='mmrdn.RoundedAnchorGenerator',
                scales=[4, 8, 16, 32],  # 64, 128, 256, 512 pixels
                ratios=[0.5, 1.0, 2.0],  # height / width
                strides=[16]),
            bbox_coder=dict(
                type='mmrdn.InclusiveDeltaXYWHBBoxCoder',
                target_means=[0., 0., 0., 0.],
                target_stds=[1., 1., 1., 1.]),
            loss_cls=dict(
                type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(
                type='SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0)),
        roi_head=dict(
            type='mmrdn.RDNRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(
                    type='RoIAlign',
                    output_size=7,
                    sampling_ratio=0,
                    aligned=False),
                out_channels=2048,
                featmap_strides=[16]),
            bbox_head=dict(
                type='mmrdn.InputScaleBBoxHead',
                in_channels=2048,
                fc_out_channels=1024,
                roi_feat_size=7,
                num_classes=num_classes,
                bbox_coder=dict(
                    type='mmrdn.InclusiveDeltaXYWHBBoxCoder',
                    target_means=[0., 0., 0., 0.],
                    target_stds=[0.1, 0.1, 0.2, 0.2]),
                loss_cls=dict(
                    type='CrossEntropyLoss',
                    use_sigmoid=False,
                    loss_weight=1.0),
                loss_bbox=dict(type='SmoothL1Loss', beta=1.0,
                               loss_weight=1.0))),
        # -------------------------- rarely changed ---------------------------
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.7,
                    neg_iou_thr=0.3,
                    min_pos_iou=0.3,
                    ignore_iof_thr=-1),
                sampler=dict(
                    type='RandomSampler',
                    num=256,
                    pos_fraction=0.5,
                    neg_pos_ub=-1,
                    add_gt_as_proposals=False),
                allowed_border=0,
                pos_weight=-1,
                debug=False),
            rpn_proposal=dict(
                nms_pre=6000, max_per_img=300, nms=rpn_nms, min_bbox_size=-1),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.5,
                    ignore_iof_thr=-1),
                sampler=dict(
                    type='RandomSampler',
                    num=128,
                    pos_fraction=0.25,  # positives : negatives = 1 : 3
                    neg_pos_ub=-1,
                    add_gt_as_proposals=True),
                pos_weight=-1,
                debug=False)),
        test_cfg=dict(
            rpn=dict(
                nms_pre=6000, max_per_img=300, nms=rpn_nms, min_bbox_size=-1),
            rcnn=dict(
                score_thr=0.001,
                nms=dict(type='nms', iou_threshold=0.5, offset=1),
                max_per_img=300))))
