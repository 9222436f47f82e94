# Copyright (c) mmrdn contributors. All rights reserved.
"""RoIAlign on CUDA: mmcv's compiled kernels, torchvision's, or plain torch.

Legend: B images, C channels, H x W pixels, n RoIs, P x Q output bins.
"""

import functools
import importlib
from typing import Any

import torch
from torch import Tensor

_CHUNK = 32  # RoIs that plain torch handles together


@functools.lru_cache(maxsize=1)
def _kernels() -> tuple[str, Any]:
    """Name and module of the best kernels that there are."""
    for name, module in (('mmcv', 'mmcv._ext'), ('torchvision', 'torchvision.ops')):
        try:
            found = importlib.import_module(module)
        except (ImportError, RuntimeError, AttributeError):  # absent, or built for another torch
            continue
        if not getattr(found, 'is_stand_in', False):
            return name, found
    return 'torch', None


def forward(
    input: Tensor, rois: Tensor, output_size: list[int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """(n, C, P, Q) of feature maps (B, C, H, W) and RoIs (n, 5)."""
    name, module = _kernels()
    feats, boxes = input.float().contiguous(), rois.float().contiguous()
    settings = spatial_scale, sampling_ratio, aligned
    if name == 'mmcv':
        out = feats.new_zeros(len(boxes), feats.shape[1], *output_size)
        unused = feats.new_zeros(0)
        module.roi_align_forward(feats, boxes, out, unused, unused, **_mmcv_settings(output_size, *settings))
    elif name == 'torchvision':
        out = torch.ops.torchvision.roi_align(feats, boxes, spatial_scale, *output_size, sampling_ratio, aligned)
    else:
        out = plain_forward(feats, boxes, output_size, *settings)
    return out.to(input.dtype)


def backward(
    grad: Tensor, rois: Tensor, shape: list[int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Gradient (B, C, H, W) of the feature maps, channels last, of ``grad`` (n, C, P, Q)."""
    name, module = _kernels()
    boxes, given = rois.float().contiguous(), grad.float().contiguous()
    settings = spatial_scale, sampling_ratio, aligned
    if name == 'mmcv':
        found = given.new_zeros(shape)
        unused = given.new_zeros(0)
        module.roi_align_backward(given, boxes, unused, unused, found, **_mmcv_settings(given.shape[2:], *settings))
    elif name == 'torchvision':
        found = torch.ops.torchvision._roi_align_backward(
            given, boxes, spatial_scale, *given.shape[2:], *shape, sampling_ratio, aligned
        )
    else:
        found = plain_backward(given, boxes, shape, *settings)
    return found.to(grad.dtype).contiguous(memory_format=torch.channels_last)


def _mmcv_settings(size: list[int], spatial_scale: float, sampling_ratio: int, aligned: bool) -> dict:
    return dict(
        aligned_height=size[0],
        aligned_width=size[1],
        spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio,
        pool_mode=1,
        aligned=aligned,
    )


def axis_weights(start: Tensor, end: Tensor, bins: int, size: int, sampling_ratio: int, aligned: bool) -> Tensor:
    """Weights (n, bins, size) of the pixels of one axis, means over the samples of a bin.

    Args:
        start (Tensor): (n,) where the RoIs begin, pixels of the feature map.
        end (Tensor): (n,) where they end.
        bins (int): Bins along the axis.
        size (int): Pixels along the axis.
        sampling_ratio (int): Samples of a bin; 0 for as many as it has pixels.
        aligned (bool): See :func:`mmrdn.ops.roi_align`.
    """
    length = end - start if aligned else (end - start).clamp(min=1)
    step = length / bins  # (n,)
    count = torch.full_like(step, sampling_ratio) if sampling_ratio > 0 else step.ceil().clamp(min=0)
    most = int(count.max()) if len(count) else 0
    index = torch.arange(most, device=start.device, dtype=start.dtype)  # (S,)
    inside = (index + 0.5) * step[:, None] / count[:, None].clamp(min=1)  # (n, S)
    first = start - (0.5 if aligned else 0.0)
    left = first[:, None] + torch.arange(bins, device=start.device, dtype=start.dtype) * step[:, None]  # (n, bins)
    at = left[..., None] + inside[:, None]  # (n, bins, S)
    used = (at >= -1) & (at <= size) & (index < count[:, None])[:, None]
    at = at.clamp(0, size - 1)
    pixels = torch.arange(size, device=start.device, dtype=start.dtype)
    weights = (1 - (at[..., None] - pixels).abs()).clamp(min=0) * used[..., None]  # (n, bins, S, size)
    return weights.sum(2) / count[:, None, None].clamp(min=1)  # (n, bins, size)


def _both_axes(rois: Tensor, size: list[int], maps: list[int], spatial_scale: float, *settings) -> tuple:
    """Weights (n, P, H) and (n, Q, W)."""
    x1, y1, x2, y2 = (rois[:, 1:] * spatial_scale).unbind(1)
    return (axis_weights(y1, y2, size[0], maps[0], *settings), axis_weights(x1, x2, size[1], maps[1], *settings))


def plain_forward(feats: Tensor, rois: Tensor, size: list[int], *settings) -> Tensor:
    """:func:`forward` in plain torch, some RoIs of an image at a time."""
    out = feats.new_zeros(len(rois), feats.shape[1], *size)
    for image in range(len(feats)):
        for rows in (rois[:, 0] == image).nonzero()[:, 0].split(_CHUNK):
            wy, wx = _both_axes(rois[rows], size, feats.shape[2:], *settings)
            out[rows] = torch.einsum('nph,chw,nqw->ncpq', wy, feats[image], wx)
    return out


def plain_backward(grad: Tensor, rois: Tensor, shape: list[int], *settings) -> Tensor:
    """:func:`backward` in plain torch, some RoIs of an image at a time."""
    found = grad.new_zeros(shape)
    for image in range(shape[0]):
        for rows in (rois[:, 0] == image).nonzero()[:, 0].split(_CHUNK):
            wy, wx = _both_axes(rois[rows], grad.shape[2:], shape[2:], *settings)
            found[image] += torch.einsum('nph,ncpq,nqw->chw', wy, grad[rows], wx)
    return found
