# Copyright (c) mmrdn contributors. All rights reserved.
"""``mmrdn::roi_align`` as RoiAlign of ONNX; needs onnxscript."""

from onnxscript import ir
from onnxscript import opset18 as op


def roi_align(input, rois, output_size, spatial_scale, sampling_ratio, aligned):
    """Translate a call, see :func:`mmrdn.ops.roi_align`."""
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
