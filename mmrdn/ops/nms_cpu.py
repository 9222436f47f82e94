# Copyright (c) mmrdn contributors. All rights reserved.
"""Greedy non-maximum suppression on the CPU."""

import numpy as np
import torch
from numba import njit
from torch import Tensor


@njit(cache=True, nogil=True)
def _keep(boxes, threshold, offset):
    """Whether each of the boxes (n, 4), best first, is kept."""
    num = len(boxes)
    x1, y1, x2, y2 = boxes[:, 0].copy(), boxes[:, 1].copy(), boxes[:, 2].copy(), boxes[:, 3].copy()
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    zero = areas.dtype.type(0)
    keep = np.ones(num, np.bool_)
    for i in range(num):
        if not keep[i]:
            continue
        for j in range(i + 1, num):
            width = max(zero, min(x2[i], x2[j]) - max(x1[i], x1[j]) + offset)
            height = max(zero, min(y2[i], y2[j]) - max(y1[i], y1[j]) + offset)
            inside = width * height
            if inside / (areas[i] + areas[j] - inside) > threshold:
                keep[j] = False
    return keep


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """See :func:`mmrdn.ops.nms`."""
    order = scores.argsort(descending=True, stable=True)
    dtype = torch.float64 if boxes.dtype == torch.float64 else torch.float32
    ranked = boxes[order].to(dtype).numpy()
    number = ranked.dtype.type
    with np.errstate(invalid='ignore', divide='ignore'):
        keep = _keep(ranked, number(iou_threshold), number(offset))
    return order[torch.from_numpy(keep)]
