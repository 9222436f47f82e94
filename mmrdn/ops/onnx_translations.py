# Copyright (c) mmrdn contributors. All rights reserved.
"""Operators that torch's exporter does not know, in those of ONNX; needs onnxscript."""

import torch
from onnxscript import ir
from onnxscript import opset18 as op

_ALL = 2**31 - 1  # boxes that may stay


def roi_align(input, rois, output_size, spatial_scale, sampling_ratio, aligned):
    """Translate a call of :func:`mmrdn.ops.roi_align` to RoiAlign."""
    images = op.Cast(op.Squeeze(op.Slice(rois, [0], [1], [1]), [1]), to=ir.DataType.INT64)
    return op.RoiAlign(
        input,
        op.Slice(rois, [1], [5], [1]),
        images,
        coordinate_transformation_mode='half_pixel' if aligned else 'output_half_pixel',
        output_height=output_size[0],
        output_width=output_size[1],
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


def nms(boxes, scores, iou_threshold, offset):
    """Translate a call of :func:`mmrdn.ops.nms` to NonMaxSuppression: no limit of boxes, no threshold of scores."""
    if offset:  # the last pixel is inside
        boxes = op.Add(boxes, [0.0, 0.0, float(offset), float(offset)])
    picked = op.NonMaxSuppression(
        op.Unsqueeze(boxes, [0]), op.Unsqueeze(scores, [0, 1]), [_ALL], [iou_threshold]
    )  # (kept, 3): batch, class, box
    return op.Squeeze(op.Slice(picked, [2], [3], [1]), [1])


def stable_sort(values, stable=None, dim=-1, descending=False):
    """Translate a call of ``aten::sort.stable`` to TopK, which ranks the lower index first among equals."""
    count = op.Gather(op.Shape(values), [dim])
    return op.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


TRANSLATIONS = {
    torch.ops.mmrdn.roi_align.default: roi_align,
    torch.ops.mmrdn.nms.default: nms,
    torch.ops.aten.sort.stable: stable_sort,
}
