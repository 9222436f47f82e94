# Single-frame Faster R-CNN of the public MEGA repository, to the letter: its
# weights fit after tools/model_converters/mega_to_mmrdn.py. Conventions of
# Caffe and of maskrcnn-benchmark:
# - ResNet: stride in the 1x1 convolutions; stem and stage 1 are frozen in
#   training, batch norm everywhere. Theirs adds no epsilon to the variance:
#   the converter scales the weights.
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
_base_ = './faster-rcnn_r101-dc5_imagenetvid.py'

# ---------------------------- possibly changed -------------------------------
rpn_nms = dict(type='nms', iou_threshold=0.7, offset=1)  # offset: pixels

# ----------------------------- rarely changed --------------------------------
model = dict(
    data_preprocessor=dict(
        mean=[102.9801, 115.9465, 122.7717],  # BGR, grey levels
        std=[1.0, 1.0, 1.0],
        bgr_to_rgb=False,
        pad_size_divisor=1,  # pixels
    ),
    detector=dict(
        backbone=dict(style='caffe', init_cfg=dict(checkpoint='open-mmlab://detectron2/resnet101_caffe')),
        rpn_head=dict(
            anchor_generator=dict(type='mmrdn.RoundedAnchorGenerator'),
            bbox_coder=dict(type='mmrdn.InclusiveDeltaXYWHBBoxCoder'),
        ),
        roi_head=dict(
            bbox_roi_extractor=dict(roi_layer=dict(aligned=False)),
            bbox_head=dict(type='mmrdn.InputScaleBBoxHead', bbox_coder=dict(type='mmrdn.InclusiveDeltaXYWHBBoxCoder')),
        ),
        train_cfg=dict(rpn_proposal=dict(nms=rpn_nms, min_bbox_size=-1)),
        test_cfg=dict(rpn=dict(nms=rpn_nms, min_bbox_size=-1), rcnn=dict(nms=dict(offset=1))),
    ),
)
