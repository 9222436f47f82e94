# Copyright (c) mmrdn contributors. All rights reserved.
"""Greedy non-maximum suppression as an operator of torch, ``mmrdn::nms``.

CPU: numba. CUDA: mmcv's kernel where mmcv is compiled, else torchvision's for ``offset=0``, else
the CPU's.
"""

import torch
from torch import Tensor

from mmrdn.ops import nms_cpu
from mmrdn.ops.roi_align_cuda import kernels

_nms = torch.library.custom_op('mmrdn::nms', nms_cpu.nms, mutates_args=(), device_types='cpu')


@_nms.register_kernel('cuda')
def _(boxes, scores, iou_threshold, offset):
    name, module = kernels()
    if name == 'torch' or (name == 'torchvision' and offset):
        return nms_cpu.nms(boxes.cpu(), scores.cpu(), iou_threshold, offset).to(boxes.device)
    # Their sorts need not be stable: equal scores are ranked first.
    order = scores.argsort(descending=True, stable=True)
    ranks = torch.arange(len(order), 0, -1, device=boxes.device, dtype=torch.float32)
    ranked = boxes[order].float().contiguous()
    if name == 'mmcv':
        return order[module.nms(ranked, ranks, iou_threshold=iou_threshold, offset=offset)]
    return order[torch.ops.torchvision.nms(ranked, ranks, iou_threshold)]


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
