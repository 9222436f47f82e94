# Copyright (c) mmrdn contributors. All rights reserved.
"""Geometry weights without an encoding of each pair of boxes.

``max(W_G E(g_ij), 1e-6)`` of paper section 3.2, with E of
:func:`mmrdn.models.layers.pairwise_geometry_encoding`, in another order:

- Angles of ``log(w_i / w_j)`` are differences of an angle of box i and one of box j. By the
  addition theorems their sines and cosines, weighted by W_G, are an inner product of a vector of
  box i and one of box j: half of the encoding needs no work for each pair but one row of a matrix
  product.
- The other half, positions, is encoded once for all heads of all modules that look at the same
  pairs.

Legend: N queries, M supports, D encoding dimensions, F = D / 8 wave lengths, H heads, those of
several modules in a row.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mmrdn.models.layers.box_geometry import angle_factors, centers_and_sizes


class BoxTerms(NamedTuple):
    """What the geometry weight needs of each of n boxes."""

    center: Tensor  # (n, 2), pixels
    size: Tensor  # (n, 2), pixels
    waves: Tensor  # (n, 4F + 1): of log w sines, cosines; of log h; a one

    def __getitem__(self, rows: slice) -> 'BoxTerms':
        return BoxTerms(*(part[rows] for part in tuple(self)))


@torch.no_grad()
def box_terms(boxes: Tensor, dims: int = 64, wave_length: float = 1000.0, pixel_offset: float = 0.0) -> BoxTerms:
    """The terms of boxes, by themselves. Boxes are taken as constants.

    Args:
        boxes (Tensor): (n, 4) xyxy in pixels, fp32 or better.
        dims (int): D, a multiple of 8.
        wave_length (float): The longest wave length.
        pixel_offset (float): Added to ``x2 - x1`` for the width.

    Returns:
        BoxTerms: In the dtype of the boxes.
    """
    cx, cy, width, height = centers_and_sizes(boxes, pixel_offset)
    size = torch.stack([width, height], -1)  # (n, 2)
    # In float64, as these angles are large where their differences are not.
    log_size = size.double().log()[..., None]  # (n, 2, 1)
    angles = log_size * angle_factors(dims, wave_length, log_size)
    waves = torch.stack([angles.sin(), angles.cos()], 2)  # (n, 2, 2, F)
    waves = torch.cat([waves.flatten(1), waves.new_ones(len(boxes), 1)], 1)
    return BoxTerms(torch.stack([cx, cy], -1), size, waves.to(boxes.dtype))


def size_queries(queries: BoxTerms, weight: Tensor, bias: Tensor) -> Tensor:
    """What is multiplied with the waves of a support.

    ``a sin(x - y) + b cos(x - y) = (b sin x - a cos x) sin y + (a sin x + b cos x) cos y``

    Args:
        queries (BoxTerms): Of N boxes.
        weight (Tensor): (H, D), W_G of one or several modules.
        bias (Tensor): (H,).

    Returns:
        Tensor: (H, N, 4F + 1).
    """
    a, b = weight.unflatten(1, (4, 2, -1))[:, None, 2:].unbind(3)
    waves = queries.waves[:, :-1].unflatten(1, (2, 2, -1))
    sines, cosines = waves.unbind(2)  # (N, 2, F)
    of_sines = b * sines - a * cosines  # (H, N, 2, F)
    of_cosines = a * sines + b * cosines  # (H, N, 2, F)
    products = torch.stack([of_sines, of_cosines], 3).flatten(2)
    bias = bias[:, None, None].expand(-1, products.shape[1], 1)
    return torch.cat([products, bias], -1)  # (H, N, 4F + 1)


@torch.no_grad()
def position_encoding(queries: BoxTerms, supports: BoxTerms, num_waves: int, wave_length: float) -> Tensor:
    """The first half of the encoding, pairs last: (4F, N * M)."""
    delta = queries.center.t()[:, :, None] - supports.center.t()[:, None]
    distance = delta.abs_().div_(queries.size.t()[:, :, None]).add_(1e-3)
    logs = distance.log_().view(2, 1, -1)  # (2, 1, N * M)
    factors = angle_factors(8 * num_waves, wave_length, logs)
    encoding = logs.new_empty(2, 2, num_waves, logs.shape[-1])
    sines, cosines = encoding.unbind(1)  # (2, F, N * M)
    torch.mul(logs, factors[:, None], out=cosines)  # angles
    torch.sin(cosines, out=sines)
    cosines.cos_()
    return encoding.flatten(0, 2)


def geometry_weights(
    queries: BoxTerms, supports: BoxTerms, weight: Tensor, sizes: Tensor, wave_length: float = 1000.0
) -> Tensor:
    """``max(W_G E(g_ij) + bias, 1e-6)``.

    Args:
        queries (BoxTerms): Of N boxes.
        supports (BoxTerms): Of M boxes.
        weight (Tensor): (H, D), W_G of one or several modules.
        sizes (Tensor): (H, N, 4F + 1), the :func:`size_queries`.
        wave_length (float): The one of the terms.

    Returns:
        Tensor: (H, N, M).
    """
    half = weight.shape[1] // 2
    encoding = position_encoding(queries, supports, half // 4, wave_length)
    positions = weight[:, :half] @ encoding  # (H, N * M)
    products = positions.view(-1, len(supports.waves)).addmm_(sizes.flatten(0, 1), supports.waves.t())  # (H * N, M)
    return products.clamp_(min=1e-6).view(*sizes.shape[:2], len(supports.waves))  # (H, N, M)
