# Copyright (c) mmrdn contributors. All rights reserved.
"""RoIAlign on the CPU (He et al., Mask R-CNN, 2017).

An output bin is the mean of bilinear samples on a regular grid. Grid and bilinear weights are
products of a vertical and a horizontal part, so a bin is a weighted sum over the pixels that it
touches, with weights ``wy[ph, y] * wx[pw, x] / count``: each pixel is read once a bin, however many
samples there are. Pixels are read channels last; the inner loop runs over channels.

Each RoI (forward) and each channel (backward) is computed by one thread in a fixed order, so results
do not depend on the number of threads.

Legend: B images, C channels, H x W pixels, n RoIs, P x Q output bins.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmrdn.ops.kernels import kernel, run_in_ranges

_BLOCK = 256  # channels that stay in the cache together
_MOST = 2.0**30  # samples of a bin along an axis


@kernel()
def _axis_weights(start, step, count, cell, weights, low, high):
    """Weights (bins, size) of one axis of a RoI, and the pixels [low, high) of each bin.

    Numbers become the type of the sums by way of ``cell`` (1,): samples at the border of the map are
    then inside or outside as in mmcv. No pixel counts of a RoI that is not finite.
    """
    bins, size = weights.shape
    if not (np.isfinite(start) and np.isfinite(step)):
        count = 0
    cell[0] = 0.5
    half = cell[0]
    cell[0] = count
    num = cell[0]
    for p in range(bins):
        weights[p] = 0
        low[p], high[p] = size, 0
        cell[0] = p
        edge = start + cell[0] * step
        begin, end = 0, count
        if step > 0:  # leave out most samples outside of the map: a box may be a million times as wide
            begin = int(min(max((-1 - edge) * num / step - 2, 0.0), float(count)))
            end = int(min(max((size - edge) * num / step + 2, 0.0), float(count)))
        for i in range(begin, end):
            cell[0] = i
            at = edge + (cell[0] + half) * step / num
            if not -1 <= at <= size:
                continue
            at = max(at, 0)
            near = min(int(at), size - 1)
            far = min(near + 1, size - 1)
            part = at - near if far > near else 0.0
            weights[p, near] += 1 - part
            weights[p, far] += part
            low[p] = min(low[p], near)
            high[p] = max(high[p], far + 1)


@kernel(fastmath={'contract'})
def _forward(feats, images, starts, steps, counts, out, first, last):
    """Fill ``out[first:last]`` (n, C, P, Q) from ``feats`` (B, H, W, C)."""
    _, height, width, channels = feats.shape
    _, _, rows, columns = out.shape
    wy, wx = np.empty((rows, height), feats.dtype), np.empty((columns, width), feats.dtype)
    cell = np.empty(1, feats.dtype)
    top, bottom = np.empty(rows, np.int64), np.empty(rows, np.int64)
    left, right = np.empty(columns, np.int64), np.empty(columns, np.int64)
    sums = np.empty((rows * columns, min(channels, _BLOCK)), feats.dtype)
    for n in range(first, last):
        image = images[n]
        _axis_weights(starts[n, 1], steps[n, 1], counts[n, 1], cell, wy, top, bottom)
        _axis_weights(starts[n, 0], steps[n, 0], counts[n, 0], cell, wx, left, right)
        cell[0] = max(counts[n, 0] * counts[n, 1], 1)
        wy /= cell[0]
        for start in range(0, channels, _BLOCK):
            num = min(_BLOCK, channels - start)
            sums[:] = 0
            for p in range(rows):
                for q in range(columns):
                    total = sums[p * columns + q]
                    for y in range(top[p], bottom[p]):
                        for x in range(left[q], right[q]):
                            weight = wy[p, y] * wx[q, x]
                            if weight != 0:
                                pixel = feats[image, y, x, start : start + num]
                                for c in range(num):
                                    total[c] += weight * pixel[c]
            for c in range(num):
                for p in range(rows):
                    for q in range(columns):
                        out[n, start + c, p, q] = sums[p * columns + q, c]


@kernel(fastmath={'contract'})
def _backward(grad, images, starts, steps, counts, grad_feats, first, last):
    """Add to channels ``first:last`` of ``grad_feats`` (B, H, W, C), from ``grad`` (n, C, P, Q)."""
    _, height, width, _ = grad_feats.shape
    num, _, rows, columns = grad.shape
    wy, wx = np.empty((rows, height), grad.dtype), np.empty((columns, width), grad.dtype)
    cell = np.empty(1, grad.dtype)
    top, bottom = np.empty(rows, np.int64), np.empty(rows, np.int64)
    left, right = np.empty(columns, np.int64), np.empty(columns, np.int64)
    part = np.empty((rows * columns, last - first), grad.dtype)
    for n in range(num):
        image = images[n]
        _axis_weights(starts[n, 1], steps[n, 1], counts[n, 1], cell, wy, top, bottom)
        _axis_weights(starts[n, 0], steps[n, 0], counts[n, 0], cell, wx, left, right)
        cell[0] = max(counts[n, 0] * counts[n, 1], 1)
        wy /= cell[0]
        for c in range(first, last):
            for p in range(rows):
                for q in range(columns):
                    part[p * columns + q, c - first] = grad[n, c, p, q]
        for p in range(rows):
            for q in range(columns):
                row = part[p * columns + q]
                for y in range(top[p], bottom[p]):
                    for x in range(left[q], right[q]):
                        weight = wy[p, y] * wx[q, x]
                        if weight != 0:
                            pixel = grad_feats[image, y, x, first:last]
                            for c in range(last - first):
                                pixel[c] += weight * row[c]


def _computed(tensor: Tensor) -> Tensor:
    """The tensor in the type that sums are made in: fp32, or fp64."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _sample_grids(rois: Tensor, size: Sequence[int], maps: Sequence[int], spatial_scale: float, *settings) -> tuple:
    """Compute where the samples of RoIs (n, 5) lie in maps of shape (B, C, H, W).

    Returns:
        tuple: Indices of the images (n,); for the x and y axis (n, 2) start of the first bin, size of
        a bin and number of samples of a bin; arrays.
    """
    sampling_ratio, aligned = settings
    images = rois[:, 0].long()
    if len(rois) and not (0 <= images.min() and images.max() < maps[0] and min(maps[2:]) > 0):
        raise ValueError(
            f'rois must name images 0 to {maps[0] - 1} of maps with pixels, got images {images.min()} to '
            f'{images.max()} and maps {tuple(maps)}'
        )
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    start, length = corners[:, :2], corners[:, 2:] - corners[:, :2]  # (n, 2)
    if not aligned:
        length = length.clamp(min=1)
    step = length / length.new_tensor([size[1], size[0]])
    count = torch.full_like(step, sampling_ratio) if sampling_ratio > 0 else step.ceil().clamp(0, _MOST)
    count = count.nan_to_num()
    return tuple(part.contiguous().numpy() for part in (images, start, step, count.long()))


def forward(
    feats: Tensor, rois: Tensor, output_size: Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """(n, C, P, Q) of feature maps (B, C, H, W) and RoIs (n, 5), contiguous; NaN where a RoI is not finite."""
    last = _computed(feats).permute(0, 2, 3, 1).contiguous()  # (B, H, W, C), free for channels last
    out = last.new_empty(len(rois), feats.shape[1], *output_size)  # (n, C, P, Q)
    grids = _sample_grids(rois.to(last.dtype), output_size, feats.shape, spatial_scale, sampling_ratio, aligned)
    pixels, bins = last.numpy(), out.numpy()
    run_in_ranges(lambda a, b: _forward(pixels, *grids, bins, a, b), len(rois), 4)
    bins[~np.isfinite(grids[1] + grids[2]).all(1)] = np.nan
    return out.to(feats.dtype)


def backward(
    grad: Tensor, rois: Tensor, shape: Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Gradient (B, C, H, W) of the feature maps, channels last, of ``grad`` (n, C, P, Q)."""
    batch, channels, height, width = shape
    given = _computed(grad).contiguous()
    found = given.new_zeros(batch, height, width, channels)
    grids = _sample_grids(rois.to(given.dtype), given.shape[2:], shape, spatial_scale, sampling_ratio, aligned)
    bins, pixels = given.numpy(), found.numpy()

    def add(first: int, last: int) -> None:
        for start in range(first, last, _BLOCK):
            _backward(bins, *grids, pixels, start, min(start + _BLOCK, last))

    run_in_ranges(add, channels, 16)
    return found.permute(0, 3, 1, 2).to(grad.dtype)  # (B, C, H, W)
