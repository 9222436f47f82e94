# Copyright (c) mmrdn contributors. All rights reserved.
"""RoIAlign and RoIPool in plain torch: any device, nothing compiled, slow.

Bilinear weights of a sample are a product of a vertical and a horizontal hat function, so all
samples of a RoI are one product ``wy @ feats @ wx.T`` (see also ``roi_align_cpu.py``).

Legend: B images, C channels, H x W pixels, n RoIs, P x Q output bins, S samples of a bin along an axis.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 32  # RoIs that are handled together


def _in_fp32(function: Callable) -> Callable:
    """Let a function compute in fp32 at least, under autocast too."""

    @functools.wraps(function)
    def wrapper(values: Tensor, rois: Tensor, *args):
        dtype = torch.promote_types(values.dtype, torch.float32)
        with torch.autocast(values.device.type, enabled=False):
            return function(values.to(dtype), rois.to(dtype), *args)

    return wrapper


class _Axis(NamedTuple):
    """Samples of RoIs along one axis."""

    at: Tensor  # (n, bins, S), pixels
    exists: Tensor  # (n, 1, S), as RoIs differ in their number of samples
    hats: Tensor  # (n, bins, S, size), weight of each pixel
    count: Tensor  # (n,), samples of a bin


def _axis(start: Tensor, end: Tensor, bins: int, size: int, sampling_ratio: int, aligned: bool) -> _Axis:
    """Samples between the edges (n,) of RoIs, pixels of the feature map before the half pixel."""
    if aligned:
        start, end = start - 0.5, end - 0.5
    length = end - start if aligned else (end - start).clamp(min=1)
    step = length / bins  # (n,)
    count = torch.full_like(step, sampling_ratio) if sampling_ratio > 0 else step.ceil().clamp(min=0)
    index = torch.arange(int(count.max()) if len(count) else 0, device=start.device, dtype=start.dtype)  # (S,)
    edges = start[:, None] + torch.arange(bins, device=start.device, dtype=start.dtype) * step[:, None]
    at = edges[..., None] + ((index + 0.5) * step[:, None] / count[:, None].clamp(min=1))[:, None]  # (n, bins, S)
    exists = (index < count[:, None])[:, None]  # (n, 1, S)
    pixels = torch.arange(size, device=start.device, dtype=start.dtype)
    hats = (1 - (at.clamp(0, size - 1)[..., None] - pixels).abs()).clamp(min=0)  # (n, bins, S, size)
    inside = exists & (at >= -1) & (at <= size)
    return _Axis(at, exists, hats * inside[..., None], count)


def _chunks(
    rois: Tensor, num_images: int, size: Sequence[int], maps: Sequence[int], spatial_scale: float, *settings
) -> Iterator[tuple[int, Tensor, _Axis, _Axis]]:
    """Some RoIs of one image at a time: the image, their rows, their y and x axis."""
    for image in range(num_images):
        for rows in ((rois[:, 0] == image) & _finite(rois)).nonzero()[:, 0].split(_CHUNK):
            x1, y1, x2, y2 = (rois[rows, 1:] * spatial_scale).unbind(1)
            yield image, rows, _axis(y1, y2, size[0], maps[0], *settings), _axis(x1, x2, size[1], maps[1], *settings)


def _finite(rois: Tensor) -> Tensor:
    """Return whether each of the RoIs (n, 5) is finite."""
    return rois.isfinite().all(1)


def _means(axis: _Axis) -> Tensor:
    """Weights (n, bins, size) of pixels in the mean over the samples of a bin."""
    return axis.hats.sum(2) / axis.count[:, None, None].clamp(min=1)


@_in_fp32
def forward(feats: Tensor, rois: Tensor, size: Sequence[int], *settings) -> Tensor:
    """(n, C, P, Q) means, see :func:`mmrdn.ops.roi_align`."""
    out = feats.new_zeros(len(rois), feats.shape[1], *size)
    out[~_finite(rois)] = torch.nan
    for image, rows, y, x in _chunks(rois, len(feats), size, feats.shape[2:], *settings):
        out[rows] = torch.einsum('nph,chw,nqw->ncpq', _means(y), feats[image], _means(x))
    return out


@_in_fp32
def backward(grad: Tensor, rois: Tensor, shape: Sequence[int], *settings) -> Tensor:
    """Gradient (B, C, H, W) of :func:`forward`."""
    found = grad.new_zeros(tuple(shape))
    for image, rows, y, x in _chunks(rois, shape[0], grad.shape[2:], shape[2:], *settings):
        found[image] += torch.einsum('nph,ncpq,nqw->chw', _means(y), grad[rows], _means(x))
    return found


@_in_fp32
def max_forward(feats: Tensor, rois: Tensor, size: Sequence[int], *settings) -> tuple[Tensor, Tensor, Tensor]:
    """The largest sample of each bin, and its y and x, each (n, C, P, Q); -1 in bins without samples."""
    out = feats.new_zeros(len(rois), feats.shape[1], *size)
    at_y, at_x = torch.full_like(out, -1), torch.full_like(out, -1)
    for image, rows, y, x in _chunks(rois, len(feats), size, feats.shape[2:], *settings):
        values = torch.einsum('npsh,chw,nqtw->ncpqst', y.hats, feats[image], x.hats)
        exists = y.exists[:, :, None, :, None] & x.exists[:, None, :, None]  # (n, 1, 1, S, S)
        if not values.numel():
            continue
        best, place = values.masked_fill(~exists[:, None], -torch.inf).flatten(-2).max(-1)  # (n, C, P, Q)
        sampled = best > -torch.inf
        out[rows] = best.where(sampled, best.new_zeros(()))
        num = x.at.shape[2]
        picks = (at_y, y.at[:, None, :, None], place // num), (at_x, x.at[:, None, None], place % num)
        for target, axis, index in picks:
            chosen = axis.expand(*index.shape, -1).gather(-1, index[..., None])[..., 0]
            target[rows] = chosen.where(sampled, chosen.new_tensor(-1.0))
    return out, at_y, at_x


@_in_fp32
def max_backward(grad: Tensor, rois: Tensor, at_y: Tensor, at_x: Tensor, shape: Sequence[int]) -> Tensor:
    """Gradient (B, C, H, W) of :func:`max_forward`."""
    found = grad.new_zeros(tuple(shape))
    _, channels, height, width = shape
    inside = (at_y != -1) & (at_y >= -1) & (at_y <= height) & (at_x >= -1) & (at_x <= width)
    y, x = at_y.clamp(0, height - 1), at_x.clamp(0, width - 1)
    image = rois[:, 0].long()[:, None, None, None].expand_as(grad)
    channel = torch.arange(channels, device=grad.device)[None, :, None, None].expand_as(grad)
    for row in (y.floor(), y.floor() + 1):
        for column in (x.floor(), x.floor() + 1):
            weight = (1 - (y - row).abs()) * (1 - (x - column).abs()) * inside
            place = image, channel, row.long().clamp(max=height - 1), column.long().clamp(max=width - 1)
            found.index_put_(place, grad * weight, accumulate=True)
    return found


def pool_forward(feats: Tensor, rois: Tensor, size: Sequence[int], spatial_scale: float) -> tuple[Tensor, Tensor]:
    """RoIPool (Fast R-CNN): maxima (n, C, P, Q) and their pixels ``y * W + x``, -1 in empty bins."""
    height, width = feats.shape[2:]
    out = feats.new_zeros(len(rois), feats.shape[1], *size)
    argmax = torch.full(out.shape, -1, dtype=torch.int, device=out.device)
    shifted = (rois[:, 1:] + rois.new_tensor([0.0, 0, 1, 1])) * spatial_scale
    for n, (image, (x1, y1, x2, y2)) in enumerate(zip(rois[:, 0].long().tolist(), shifted.tolist())):
        if x2 <= x1 or y2 <= y1:
            continue
        for p, (top, bottom) in enumerate(_pool_bins(y1, y2, size[0], height)):
            for q, (left, right) in enumerate(_pool_bins(x1, x2, size[1], width)):
                if top < bottom and left < right:
                    part = feats[image, :, top:bottom, left:right]  # (C, h, w)
                    best, place = part.flatten(1).max(1)
                    out[n, :, p, q] = best
                    row, column = place // (right - left) + top, place % (right - left) + left
                    argmax[n, :, p, q] = (row * width + column).int()
    return out, argmax


def _pool_bins(start: float, end: float, bins: int, size: int) -> list[tuple[int, int]]:
    """First pixel and end of each bin along an axis."""
    step = (end - start) / bins
    edges = [(math.floor(i * step + start), math.ceil((i + 1) * step + start)) for i in range(bins)]
    return [(min(max(low, 0), size), min(max(high, 0), size)) for low, high in edges]


def pool_backward(grad: Tensor, rois: Tensor, argmax: Tensor, shape: Sequence[int]) -> Tensor:
    """Gradient (B, C, H, W) of :func:`pool_forward`."""
    found = grad.new_zeros(tuple(shape)).flatten(2)  # (B, C, H * W)
    image = rois[:, 0].long()[:, None, None, None].expand_as(grad)
    channel = torch.arange(grad.shape[1], device=grad.device)[None, :, None, None].expand_as(grad)
    place = image, channel, argmax.long().clamp(min=0)
    found.index_put_(place, grad * (argmax >= 0), accumulate=True)
    return found.view(tuple(shape))
