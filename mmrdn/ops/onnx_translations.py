# Copyright (c) mmrdn contributors. All rights reserved.
"""Operators that torch's exporter does not know, in those of ONNX; needs onnxscript."""

import torch
from onnxscript import ir
from onnxscript import opset18 as op


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


def image_nms(boxes, scores, iou_threshold, num, offset):
    """Translate a call of :func:`mmrdn.ops.image_nms` to NonMaxSuppression: no threshold of scores."""
    if offset:  # the last pixel is inside
        boxes = op.Add(boxes, [0.0, 0.0, float(offset), float(offset)])
    limit = op.Constant(value_ints=[num])
    picked = op.NonMaxSuppression(boxes, op.Unsqueeze(scores, [1]), limit, [iou_threshold])
    images, _, inds = op.Split(picked, axis=1, num_outputs=3)  # (kept, 1) each: image, class, box
    # The rank of a box in its image is the number of those before it that are of the same image.
    one, count = op.Constant(value_int=1), op.Shape(boxes, start=0, end=1)
    numbers = op.Range(op.Constant(value_int=0), op.Squeeze(count), one)  # (B,)
    marks = op.Cast(op.Equal(images, numbers), to=ir.DataType.INT64)  # (kept, B)
    ranks = op.Sub(op.ReduceSum(op.Mul(op.CumSum(marks, op.Constant(value_int=0)), marks), [1]), one)  # (kept, 1)
    empty = op.Expand(op.Constant(value_int=-1), op.Concat(count, limit, axis=0))  # (B, num)
    return op.ScatterND(empty, op.Concat(images, ranks, axis=1), op.Squeeze(inds, [1]))


def stable_sort(values, stable=None, dim=-1, descending=False):
    """Translate a call of ``aten::sort.stable`` to TopK, which ranks the lower index first among equals."""
    count = op.Gather(op.Shape(values), [dim])
    return op.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


TRANSLATIONS = {
    torch.ops.mmrdn.roi_align.default: roi_align,
    torch.ops.mmrdn.image_nms.default: image_nms,
    torch.ops.aten.sort.stable: stable_sort,
}
