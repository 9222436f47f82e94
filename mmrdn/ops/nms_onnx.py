# Copyright (c) mmrdn contributors. All rights reserved.
"""``mmrdn::nms`` as NonMaxSuppression of ONNX; needs onnxscript."""

from onnxscript import opset18 as op

_ALL = 2**31 - 1  # boxes that may stay


def nms(boxes, scores, iou_threshold, offset):
    """Translate a call, see :func:`mmrdn.ops.nms`: no limit of boxes, no threshold of scores."""
    if offset:  # the last pixel is inside
        boxes = op.Add(boxes, [0.0, 0.0, float(offset), float(offset)])
    picked = op.NonMaxSuppression(
        op.Unsqueeze(boxes, [0]), op.Unsqueeze(scores, [0, 1]), [_ALL], [iou_threshold]
    )  # (kept, 3): batch, class, box
    return op.Squeeze(op.Slice(picked, [2], [3], [1]), [1])
