# Copyright (c) mmrdn contributors. All rights reserved.
"""Greedy non-maximum suppression on the CPU."""

import numpy as np
import torch
from torch import Tensor

from mmrdn.ops.kernels import kernel


@kernel()
def _owners(boxes, threshold, offset):
    """For each of the boxes (n, 4), best first, the box that suppresses it, or itself."""
    num = len(boxes)
    x1, y1, x2, y2 = boxes[:, 0].copy(), boxes[:, 1].copy(), boxes[:, 2].copy(), boxes[:, 3].copy()
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    zero = areas.dtype.type(0)
    owner = np.arange(num)
    for i in range(num):
        if owner[i] != i:
            continue
        for j in range(i + 1, num):
            width = max(zero, min(x2[i], x2[j]) - max(x1[i], x1[j]) + offset)
            height = max(zero, min(y2[i], y2[j]) - max(y1[i], y1[j]) + offset)
            inside = width * height
            if inside / (areas[i] + areas[j] - inside) >= threshold and owner[j] == j:
                owner[j] = i
    return owner


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """See :func:`mmrdn.ops.nms`."""
    order = scores.argsort(descending=True, stable=True)
    dtype = torch.float64 if boxes.dtype == torch.float64 else torch.float32
    ranked = boxes[order].to(dtype).numpy()
    number = ranked.dtype.type
    above = np.nextafter(number(iou_threshold), number(np.inf))  # a box goes if its IoU is larger
    owner = _owners(ranked, above, number(offset))
    return order[torch.from_numpy(owner == np.arange(len(owner)))]


@kernel()
def _soften(boxes, scores, threshold, sigma, min_score, method, offset):
    """Soft-NMS (Bodla et al., ICCV 2017): indices in the order in which boxes are taken, and their scores."""
    num = len(boxes)
    x1, y1, x2, y2 = boxes[:, 0].copy(), boxes[:, 1].copy(), boxes[:, 2].copy(), boxes[:, 3].copy()
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    scores, inds = scores.copy(), np.arange(num)
    i = 0
    while i < num:
        best = i + np.argmax(scores[i:num])
        for values in (x1, y1, x2, y2, scores, areas):
            values[i], values[best] = values[best], values[i]
        inds[i], inds[best] = inds[best], inds[i]
        j = i + 1
        while j < num:
            width = max(0, min(x2[i], x2[j]) - max(x1[i], x1[j]) + offset)
            height = max(0, min(y2[i], y2[j]) - max(y1[i], y1[j]) + offset)
            inside = width * height
            iou = inside / (areas[i] + areas[j] - inside)
            if method == 2:
                scores[j] *= np.exp(-(iou * iou) / sigma)
            elif iou >= threshold:
                scores[j] *= 0 if method == 0 else 1 - iou
            if scores[j] < min_score:  # the last box takes its place
                num -= 1
                for values in (x1, y1, x2, y2, scores, areas):
                    values[j] = values[num]
                inds[j] = inds[num]
            else:
                j += 1
        i += 1
    return inds[:num], scores[:num]


def soft_nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, sigma: float, min_score: float, method: int, offset: int
) -> tuple[Tensor, Tensor]:
    """Lower the scores of overlapping boxes.

    Args:
        boxes (Tensor): (n, 4) xyxy in pixels.
        scores (Tensor): (n,).
        iou_threshold (float): IoU from which scores are lowered (methods 0 and 1).
        sigma (float): Width of the Gaussian (method 2).
        min_score (float): Boxes below it go.
        method (int): 0 plain suppression, 1 linear, 2 Gaussian.
        offset (int): 1 where boxes include their last pixel.

    Returns:
        tuple[Tensor, Tensor]: Indices (m,) of the boxes that stay and their new scores (m,), best first.
    """
    arrays = boxes.float().numpy(), scores.float().numpy()
    inds, new = _soften(*arrays, iou_threshold, sigma, min_score, method, np.float32(offset))
    return torch.from_numpy(inds), torch.from_numpy(new)


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group detections (n, 5), xyxy and score, by the one that suppresses them, which comes first."""
    order = dets[:, 4].argsort(descending=True, stable=True)
    owner = _owners(dets[order, :4].float().numpy(), np.float32(iou_threshold), np.float32(0)).tolist()
    groups: dict[int, list[int]] = {}
    for place, own in zip(order.tolist(), owner):
        groups.setdefault(own, []).append(place)
    return list(groups.values())
