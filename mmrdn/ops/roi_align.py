# Copyright (c) mmrdn contributors. All rights reserved.
"""RoIAlign as an operator of torch, ``mmrdn::roi_align`` (He et al., Mask R-CNN, 2017).

CPU: numba. CUDA: mmcv's kernels where mmcv is compiled, else torchvision's where it can be
imported, else plain torch. Sums are made in fp32 at least.
"""

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from mmrdn.ops import roi_align_cpu, roi_align_cuda

# Written out: torch 2.4 reads fewer kinds of annotations.
_SETTINGS = 'float spatial_scale, SymInt sampling_ratio, bool aligned) -> Tensor'


_roi_align = torch.library.custom_op(
    'mmrdn::roi_align',
    roi_align_cpu.forward,
    mutates_args=(),
    device_types='cpu',
    schema=f'(Tensor input, Tensor rois, SymInt[] output_size, {_SETTINGS}',
)
roi_align_backward = torch.library.custom_op(
    'mmrdn::roi_align_backward',
    roi_align_cpu.backward,
    mutates_args=(),
    device_types='cpu',
    schema=f'(Tensor grad, Tensor rois, SymInt[] shape, {_SETTINGS}',
)
_roi_align.register_kernel('cuda')(roi_align_cuda.forward)
roi_align_backward.register_kernel('cuda')(roi_align_cuda.backward)


@_roi_align.register_fake
def _(input, rois, output_size, *settings):
    return input.new_empty(rois.shape[0], input.shape[1], *output_size)


@roi_align_backward.register_fake
def _(grad, rois, shape, *settings):
    batch, channels, height, width = shape
    return grad.new_empty(batch, height, width, channels).permute(0, 3, 1, 2)


def _save(ctx, inputs, output) -> None:
    input, rois, _, *ctx.settings = inputs
    ctx.shape = list(input.shape)
    ctx.save_for_backward(rois)


def _differentiate(ctx, grad: Tensor) -> tuple:
    (rois,) = ctx.saved_tensors
    found = roi_align_backward(grad, rois, ctx.shape, *ctx.settings)
    return found, None, None, None, None, None


def _save_of_backward(ctx, inputs, output) -> None:
    grad, rois, _, *ctx.settings = inputs
    ctx.size = list(grad.shape[2:])
    ctx.save_for_backward(rois)


def _differentiate_again(ctx, grad: Tensor) -> tuple:
    """RoIAlign is linear in the feature maps: the gradient of its gradient is RoIAlign."""
    (rois,) = ctx.saved_tensors
    return _roi_align(grad, rois, ctx.size, *ctx.settings), None, None, None, None, None


_roi_align.register_autograd(_differentiate, setup_context=_save)
roi_align_backward.register_autograd(_differentiate_again, setup_context=_save_of_backward)


def roi_align(
    input: Tensor,
    rois: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Tensor:
    """Average bilinear samples of feature maps in the bins of RoIs.

    Args:
        input (Tensor): (B, C, H, W) feature maps, of any memory format; fp16 and bf16 too.
        rois (Tensor): (n, 5), index of the image, then xyxy in pixels of the input image.
        output_size (int or tuple[int, int]): Rows and columns of bins, h and w.
        spatial_scale (float): Pixels of the feature map for a pixel of the image.
        sampling_ratio (int): Samples of a bin along each axis; 0 for as many as the bin has pixels.
        aligned (bool): Whether pixel centers are half a pixel from their corners (the correction of
            detectron2). Without it, RoIs are one pixel wide and high at least.

    Returns:
        Tensor: (n, C, h, w), in the type of the input; twice differentiable in the input. NaN where a
        RoI is not finite.

    Raises:
        ValueError: A shape or type is wrong.
    """
    size = tuple(output_size) if isinstance(output_size, Sequence) else (output_size, output_size)
    if input.ndim != 4 or not input.is_floating_point():
        raise ValueError(f'input must be (B, C, H, W) of floating point, got {tuple(input.shape)} of {input.dtype}')
    if rois.ndim != 2 or rois.shape[1] != 5:
        raise ValueError(f'rois must be (n, 5), got {tuple(rois.shape)}')
    if len(size) != 2 or not all(isinstance(x, Integral) and x > 0 for x in size):
        raise ValueError(f'output_size must be one or two positive integers, got {output_size}')
    return _roi_align(input, rois, [int(x) for x in size], float(spatial_scale), int(sampling_ratio), bool(aligned))
