# Copyright (c) mmrdn contributors. All rights reserved.
"""Geometry of box pairs: paper section 3.2, by its definition and in the order in which it is computed.

The paper takes the object relation module from "Relation Networks for Object Detection" (Hu et al.,
CVPR 2018), whose section 3 defines the encoding E(g_ij): :func:`pairwise_geometry_encoding`.
:func:`geometry_tiles` computes the geometry weight ``max(W_G E(g_ij), 1e-6)`` without an encoding of
each pair of boxes:

- Angles of ``log(w_i / w_j)`` are differences of an angle of box i and one of box j. By the
  addition theorems their sines and cosines, weighted by W_G, are an inner product of a vector of
  box i and one of box j: half of the encoding needs no work for each pair but one row of a matrix
  product.
- The other half, positions, is encoded once for all heads of all modules that look at the same
  pairs.

Legend: N queries, M supports, D encoding dimensions, F = D / 8 wave lengths, H heads, those of
several modules in a row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_USUAL_SIDE = 32.0  # pixels; angles of boxes near it are small


def centers_and_sizes(boxes: Tensor, pixel_offset: float = 0.0) -> tuple[Tensor, Tensor]:
    """Split boxes (n, 4) xyxy into (cx, cy) and (w, h), each (n, 2); sizes are at least 1 pixel."""
    low, high = boxes[:, :2], boxes[:, 2:]
    return (low + high) / 2, (high - low + pixel_offset).clamp(min=1.0)


def geometric_features(boxes: Tensor, support_boxes: Tensor, pixel_offset: float = 0.0) -> Tensor:
    """Compute the relative position and size of each query box to each support box.

    ``g_ij = (log(|cx_i - cx_j| / w_i + 1e-3), log(|cy_i - cy_j| / h_i + 1e-3), log(w_i / w_j),
    log(h_i / h_j))``

    Args:
        boxes (Tensor): (N, 4) query boxes, xyxy in pixels.
        support_boxes (Tensor): (M, 4) support boxes, xyxy in pixels.
        pixel_offset (float): Pixels added to ``x2 - x1`` for the width; 1 where boxes include their
            last pixel. Widths and heights are at least 1 pixel.

    Returns:
        Tensor: (N, M, 4) features g_ij.
    """
    center, size = centers_and_sizes(boxes, pixel_offset)
    support_center, support_size = centers_and_sizes(support_boxes, pixel_offset)
    delta = (center[:, None] - support_center).abs() / size[:, None]  # (N, M, 2)
    return torch.cat([torch.log(delta + 1e-3), torch.log(size[:, None] / support_size)], -1)  # (N, M, 4)


def angle_factors(dims: int, wave_length: float, like: Tensor) -> Tensor:
    """Return ``100 / wave_length ** (k / (dims / 8))``, k = 0 .. dims / 8 - 1."""
    num_waves = dims // 8
    powers = torch.arange(num_waves, dtype=like.dtype, device=like.device) / num_waves
    return 100 / wave_length**powers  # (D / 8,)


def encode_angles(geometry: Tensor, factors: Tensor) -> Tensor:
    """Encode geometric features by sines and cosines of several wave lengths.

    Each component is multiplied by each factor; its sines come first, then its cosines; the components
    keep their order.

    Args:
        geometry (Tensor): (N, M, 4) features.
        factors (Tensor): (D / 8,) factors of :func:`angle_factors`.

    Returns:
        Tensor: (N, M, D) encoding.
    """
    angles = geometry[..., None] * factors  # (N, M, 4, D/8)
    encoding = torch.cat([angles.sin(), angles.cos()], -1)  # (N, M, 4, D/4)
    return encoding.flatten(-2)  # (N, M, D)


def pairwise_geometry_encoding(
    boxes: Tensor, support_boxes: Tensor, dims: int = 64, wave_length: float = 1000.0, pixel_offset: float = 0.0
) -> Tensor:
    """Return :func:`encode_angles` of :func:`geometric_features`, (N, M, D)."""
    geometry = geometric_features(boxes, support_boxes, pixel_offset)
    return encode_angles(geometry, angle_factors(dims, wave_length, geometry))


@dataclass(frozen=True)
class BoxTerms:
    """The part of the geometry weight that each of n boxes brings along.

    Attributes:
        center (Tensor): (n, 2) centers, pixels.
        size (Tensor): (n, 2) widths and heights, pixels.
        waves (Tensor): (n, 4F + 1) sines and cosines of the angles of w, then of h, then a one.
    """

    center: Tensor
    size: Tensor
    waves: Tensor

    def __len__(self) -> int:
        return len(self.center)

    def rows(self, inds: slice | Tensor) -> 'BoxTerms':
        """Return the terms of some of the boxes."""
        return BoxTerms(self.center[inds], self.size[inds], self.waves[inds])


@torch.no_grad()
def box_terms(boxes: Tensor, factors: Tensor, pixel_offset: float = 0.0) -> BoxTerms:
    """Compute the terms of boxes, which are taken as constants.

    Args:
        boxes (Tensor): (n, 4) boxes, xyxy in pixels, fp32 or better.
        factors (Tensor): (F,) factors of :func:`angle_factors`. Angles are computed in their dtype;
            angles of a single box can be large, and fp64 keeps more of their digits.
        pixel_offset (float): Pixels added to ``x2 - x1`` for the width.

    Returns:
        BoxTerms: In the dtype of the boxes.
    """
    center, size = centers_and_sizes(boxes, pixel_offset)  # (n, 2) each
    log_size = (size.to(factors.dtype) / _USUAL_SIDE).log()[..., None]  # (n, 2, 1)
    angles = log_size * factors  # (n, 2, F)
    waves = torch.stack([angles.sin(), angles.cos()], 2)  # (n, 2, 2, F)
    waves = torch.cat([waves.flatten(1), waves.new_ones(len(boxes), 1)], 1)  # (n, 4F + 1)
    return BoxTerms(center, size, waves.to(boxes.dtype))


def geometry_tiles(
    queries: BoxTerms, supports: BoxTerms, weight: Tensor, bias: Tensor, factors: Tensor, columns: int
) -> list[Tensor]:
    """``max(W_G E(g_ij) + bias, 1e-6)``, a tile of supports at a time.

    Args:
        queries (BoxTerms): Terms of N boxes.
        supports (BoxTerms): Terms of M boxes.
        weight (Tensor): (H, D) W_G of one or several modules.
        bias (Tensor): (H,) bias of W_G.
        factors (Tensor): (F,) factors of :func:`angle_factors`.
        columns (int): Supports of a tile.

    Returns:
        list[Tensor]: Geometry weights (H, N, m) of each tile; none without supports.
    """
    half = weight.shape[1] // 2
    sizes = _size_queries(queries, weight, bias)
    tiles = []
    for start in range(0, len(supports), columns):
        tile = supports.rows(slice(start, start + columns))
        encoding = _position_encoding(queries, tile, factors)
        positions = (weight[:, :half] @ encoding).view(-1, len(tile))  # (H * N, m)
        products = positions.addmm_(sizes.flatten(0, 1), tile.waves.t())  # (H * N, m)
        tiles.append(products.clamp_(min=1e-6).view(*sizes.shape[:2], len(tile)))  # (H, N, m)
    return tiles


def sine_arguments(factors: Tensor) -> tuple[Tensor, Tensor]:
    """Return factors (2F, 1) and shifts (2F, 1) that make sines and cosines of logs: ``sin(factors * log + shifts)``.

    A cosine is the sine a quarter turn ahead, so one operator makes both. No matrix product does it: on a GPU
    it may round these large angles to ten bits.

    Args:
        factors (Tensor): (F,) factors of :func:`angle_factors`.
    """
    shifts = torch.cat([torch.zeros_like(factors), torch.full_like(factors, torch.pi / 2)])
    return factors.repeat(2)[:, None], shifts[:, None]


def geometry_weights(
    queries: BoxTerms, supports: BoxTerms, weight: Tensor, bias: Tensor, sines: tuple[Tensor, Tensor], penalty: Tensor
) -> Tensor:
    """Compute ``max(W_G E(g_ij) + bias, 1e-6)`` for all pairs at once, with few operators, all of which export.

    Args:
        queries (BoxTerms): Terms of N boxes.
        supports (BoxTerms): Terms of M boxes.
        weight (Tensor): (H, D) W_G of one or several modules.
        bias (Tensor): (H,) bias of W_G.
        sines (tuple[Tensor, Tensor]): :func:`sine_arguments`.
        penalty (Tensor): (M,) 0, or a large negative number for a support that does not count. The
            weight of such a support is almost 0; a row of them alone does not become NaN.

    Returns:
        Tensor: (H, N, M) geometry weights.
    """
    num = queries.center.shape[0]  # len would fix the number in an exported graph
    sizes = _size_queries(queries, weight, bias)
    delta = (queries.center.t()[:, :, None] - supports.center.t()[:, None]).abs()  # (2, N, M)
    logs = (delta / queries.size.t()[:, :, None] + 1e-3).log()  # (2, N, M)
    scales, shifts = (part.to(logs.dtype) for part in sines)
    encoding = torch.addcmul(shifts, scales, logs.flatten(1)[:, None]).sin().flatten(0, 1)  # (4F, N * M)
    columns = penalty.expand(num, -1).reshape(1, -1)  # (1, N * M)
    positions = torch.addmm(columns, weight[:, : len(encoding)], encoding)  # (H, N * M)
    positions = positions.view(len(weight) * num, len(penalty))
    products = torch.addmm(positions, sizes.flatten(0, 1), supports.waves.t())  # (H * N, M)
    floor = (penalty + 1e-6).clamp(min=1e-37)  # (M,)
    return products.maximum(floor).view(len(weight), num, len(penalty))  # (H, N, M)


def _size_queries(queries: BoxTerms, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the factors (H, N, 4F + 1) of the waves of a support.

    ``a sin(x - y) + b cos(x - y) = (b sin x - a cos x) sin y + (a sin x + b cos x) cos y``
    """
    a, b = weight.unflatten(1, (4, 2, -1))[:, None, 2:].unbind(3)  # (H, 1, 2, F)
    waves = queries.waves[:, :-1].unflatten(1, (2, 2, -1))
    sines, cosines = waves.unbind(2)  # (N, 2, F)
    of_sines = b * sines - a * cosines  # (H, N, 2, F)
    of_cosines = a * sines + b * cosines  # (H, N, 2, F)
    products = torch.stack([of_sines, of_cosines], 3).flatten(2)  # (H, N, 4F)
    bias = bias[:, None, None].expand(-1, products.shape[1], 1)
    return torch.cat([products, bias], -1)  # (H, N, 4F + 1)


@torch.no_grad()
def _position_encoding(queries: BoxTerms, supports: BoxTerms, factors: Tensor) -> Tensor:
    """Return the first half of the encoding, pairs last: (4F, N * M)."""
    delta = queries.center.t()[:, :, None] - supports.center.t()[:, None]  # (2, N, M)
    distance = delta.abs_().div_(queries.size.t()[:, :, None]).add_(1e-3)
    logs = distance.log_().view(2, 1, -1)  # (2, 1, N * M)
    encoding = logs.new_empty(2, 2, len(factors), logs.shape[-1])
    sines, cosines = encoding.unbind(1)  # (2, F, N * M)
    torch.mul(logs, factors[:, None], out=cosines)  # angles
    torch.sin(cosines, out=sines)
    cosines.cos_()
    return encoding.flatten(0, 2)  # (4F, N * M)
