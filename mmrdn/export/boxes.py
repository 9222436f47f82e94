# Copyright (c) mmrdn contributors. All rights reserved.
"""Boxes in graphs: what mmdet and mmcv do with them, without a look at their values."""

import torch
from torch import Tensor


def clip_boxes(boxes: Tensor, size: Tensor) -> Tensor:
    """Return boxes (..., 4), xyxy in pixels, cut at the edges of an image of a size (2,), height and width."""
    limits = size.to(boxes.dtype).flip(0).repeat(2)  # (4,) w, h, w, h
    return torch.minimum(boxes.clamp(min=0), limits)


def level_offsets(boxes: Tensor, ids: Tensor) -> Tensor:
    """Return shifts (n, 1) that keep boxes (n, 4) of different ids (n,) apart in NMS, as mmcv's ``batched_nms`` has."""
    return (ids.to(boxes.dtype) * (boxes.max() + 1))[:, None]


def keep_first(inds: Tensor, num: int) -> Tensor:
    """Return the first ``num`` of some indices (m,), -1 where there are fewer."""
    padded = torch.cat([inds, inds.new_full((num,), -1)])
    return padded[torch.arange(num, device=inds.device)]


def to_rois(boxes: Tensor) -> Tensor:
    """Return boxes (n, 4) of the only image of a batch as RoIs (n, 5)."""
    return torch.cat([torch.zeros_like(boxes[:, :1]), boxes], 1)
