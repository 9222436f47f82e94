# Copyright (c) mmrdn contributors. All rights reserved.
"""Boxes in graphs: what mmdet and mmcv do with them, without a look at their values."""

import torch
from torch import Tensor


def clip_boxes(boxes: Tensor, size: Tensor) -> Tensor:
    """Return boxes (..., 4), xyxy in pixels, cut at the edges of images of sizes (..., 2), height and width."""
    sides = size.to(boxes.dtype).flip(-1)
    limits = torch.cat([sides, sides], -1)  # (..., 4) w, h, w, h
    return torch.minimum(boxes.clamp(min=0), limits)


def level_offsets(boxes: Tensor, ids: Tensor) -> Tensor:
    """Return shifts (B, n, 1) that keep boxes (B, n, 4) of different ids (n,) apart, as mmcv's ``batched_nms`` has."""
    return ids.to(boxes.dtype)[:, None] * (boxes.amax((1, 2), keepdim=True) + 1)


def pick_rows(rows: Tensor, inds: Tensor) -> Tensor:
    """Return rows (B, m, c) of each image, of (B, n, c), by their indices (B, m)."""
    return rows.gather(1, inds[..., None].expand(-1, -1, rows.shape[-1]))


def to_rois(boxes: Tensor) -> Tensor:
    """Return boxes (B, n, 4) of the images of a batch as RoIs (B * n, 5)."""
    images = torch.arange(boxes.shape[0], dtype=boxes.dtype, device=boxes.device)
    return torch.cat([images[:, None, None].expand(-1, boxes.shape[1], 1), boxes], 2).flatten(0, 1)
