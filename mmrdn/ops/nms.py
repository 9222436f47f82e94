# Copyright (c) mmrdn contributors. All rights reserved.
"""Greedy non-maximum suppression as an operator of torch, ``mmrdn::nms``.

CPU: numba. Other devices: mmcv's kernel where mmcv is compiled, else a matrix of IoUs in torch and
the greedy choice on the CPU.
"""

import importlib

import torch
from torch import Tensor

from mmrdn.ops import nms_cpu


@torch.library.custom_op('mmrdn::nms', mutates_args=(), device_types='cpu')
def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    return nms_cpu.nms(boxes, scores, iou_threshold, offset)


@_nms.register_kernel('cuda')
def _(boxes, scores, iou_threshold, offset):
    try:
        compiled = importlib.import_module('mmcv._ext')
    except ImportError:
        compiled = None
    if compiled is None or getattr(compiled, 'is_stand_in', False):
        return nms_cpu.nms(boxes.cpu(), scores.cpu(), iou_threshold, offset).to(boxes.device)
    # Its sort is not stable: equal scores are ranked first.
    order = scores.argsort(descending=True, stable=True)
    ranks = torch.arange(len(order), 0, -1, device=boxes.device, dtype=torch.float32)
    kept = compiled.nms(boxes[order].float(), ranks, iou_threshold=iou_threshold, offset=offset)
    return order[kept]


@_nms.register_fake
def _(boxes, scores, iou_threshold, offset):
    num = torch.library.get_ctx().new_dynamic_size()
    return torch.empty(num, dtype=torch.long, device=boxes.device)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Keep a box unless one with a higher score overlaps it by more than a threshold.

    Args:
        boxes (Tensor): (n, 4) xyxy in pixels.
        scores (Tensor): (n,).
        iou_threshold (float): IoU above which the lower score goes.
        offset (int): 1 where boxes include their last pixel (width = x2 - x1 + 1), else 0.

    Returns:
        Tensor: Indices of the boxes that stay, by descending score; among equals the lower index
        first.

    Raises:
        ValueError: A shape or the offset is wrong.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(f'boxes must be (n, 4) and scores (n,), got {tuple(boxes.shape)} and {tuple(scores.shape)}')
    if offset not in (0, 1):
        raise ValueError(f'offset must be 0 or 1, got {offset}')
    return _nms(boxes, scores, float(iou_threshold), int(offset))
