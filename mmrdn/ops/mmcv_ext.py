# Copyright (c) mmrdn contributors. All rights reserved.
"""Stand-in for ``mmcv._ext``, mmcv's compiled operators, where mmcv comes without them.

The functions have the names and arguments of the compiled ones: outputs are tensors that the caller
made. An operator that is not here raises, in one line, when it is called.
"""

from collections.abc import Callable

from torch import Tensor

from mmrdn import ops

is_stand_in = True


def __getattr__(name: str) -> Callable:
    """Return a function that says that an operator is missing."""
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise NotImplementedError(f'mmcv.ops: {name} needs the compiled mmcv: run `make setup OPS=compiled`')

    return missing


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """See :func:`mmrdn.ops.nms`."""
    return ops.nms(boxes, scores, iou_threshold, offset)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output`` (n, C, h, w), see :func:`mmrdn.ops.roi_align`."""
    if pool_mode == 0:
        raise NotImplementedError('mmcv.ops: roi_align with pool_mode="max" needs the compiled mmcv')
    output.copy_(ops.roi_align(input, rois, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``grad_input`` (B, C, H, W)."""
    from mmrdn.ops.roi_align import _roi_align_backward

    grad_input.copy_(
        _roi_align_backward(grad_output, rois, list(grad_input.shape), spatial_scale, sampling_ratio, aligned)
    )
