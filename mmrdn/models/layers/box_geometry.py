# Copyright (c) mmrdn contributors. All rights reserved.
"""Geometry of box pairs: the input of the geometry weight, by its definition.

The paper (section 3.2) takes the object relation module from "Relation Networks for Object
Detection" (Hu et al., CVPR 2018), whose section 3 defines this encoding. Legend: N queries, M
supports, D encoding dimensions.

The modules compute the same numbers in another order, see
:mod:`mmrdn.models.layers.geometry_weights`; these functions are the reference.
"""

import torch
from torch import Tensor


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


def encode_geometry(geometry: Tensor, dims: int = 64, wave_length: float = 1000.0) -> Tensor:
    """Encode geometric features by sines and cosines of several wave lengths.

    Each component is multiplied by 100 and divided by ``wave_length ** (k / (dims / 8))``, k = 0 ..
    dims / 8 - 1; its sines come first, then its cosines; the components keep their order.

    Args:
        geometry (Tensor): (N, M, 4) features.
        dims (int): D, a multiple of 8.
        wave_length (float): The longest wave length.

    Returns:
        Tensor: (N, M, D) encoding.
    """
    return encode_angles(geometry, angle_factors(dims, wave_length, geometry))


def encode_angles(geometry: Tensor, factors: Tensor) -> Tensor:
    """Return :func:`encode_geometry` by the factors (D / 8,) of :func:`angle_factors`."""
    angles = geometry[..., None] * factors  # (N, M, 4, D/8)
    encoding = torch.cat([angles.sin(), angles.cos()], -1)  # (N, M, 4, D/4)
    return encoding.flatten(-2)  # (N, M, D)


def pairwise_geometry_encoding(
    boxes: Tensor, support_boxes: Tensor, dims: int = 64, wave_length: float = 1000.0, pixel_offset: float = 0.0
) -> Tensor:
    """Return :func:`encode_geometry` of :func:`geometric_features`, (N, M, D)."""
    geometry = geometric_features(boxes, support_boxes, pixel_offset)
    return encode_geometry(geometry, dims, wave_length)
