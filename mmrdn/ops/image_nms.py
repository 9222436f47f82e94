# Copyright (c) mmrdn contributors. All rights reserved.
"""Non-maximum suppression in several images with as many rows for each, ``mmrdn::image_nms``."""

import torch
from torch import Tensor

from mmrdn.ops.nms import nms


@torch.library.custom_op('mmrdn::image_nms', mutates_args=())
def _image_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, num: int, offset: int) -> Tensor:
    kept = torch.full((len(boxes), num), -1, dtype=torch.long, device=boxes.device)
    for row, *image in zip(kept, boxes, scores):
        inds = nms(*image, iou_threshold, offset)[:num]
        row[: len(inds)] = inds
    return kept


@_image_nms.register_fake
def _(boxes, scores, iou_threshold, num, offset):
    return torch.empty(boxes.shape[0], num, dtype=torch.long, device=boxes.device)


def image_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, num: int, offset: int = 0) -> Tensor:
    """Return the first boxes that :func:`mmrdn.ops.nms` keeps in each image.

    Args:
        boxes (Tensor): (B, n, 4) xyxy in pixels, of B images.
        scores (Tensor): (B, n).
        iou_threshold (float): IoU above which the lower score goes.
        num (int): Boxes of an image that are kept at most.
        offset (int): 1 where boxes include their last pixel (width = x2 - x1 + 1), else 0.

    Returns:
        Tensor: (B, num) indices in each image, by descending score; -1 behind the last one.

    Raises:
        ValueError: A shape or the offset is wrong.
    """
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.shape != boxes.shape[:2]:
        raise ValueError(
            f'boxes must be (B, n, 4) and scores (B, n), got {tuple(boxes.shape)} and {tuple(scores.shape)}'
        )
    if offset not in (0, 1):
        raise ValueError(f'offset must be 0 or 1, got {offset}')
    return _image_nms(boxes, scores, float(iou_threshold), int(num), int(offset))
