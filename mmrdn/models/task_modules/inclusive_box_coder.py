# Copyright (c) mmrdn contributors. All rights reserved.
"""Box deltas between boxes that include their last pixel.

The convention of Fast R-CNN and of maskrcnn-benchmark: a box from x1 to x2 is ``x2 - x1 + 1``
pixels wide. mmdet's ``LegacyDeltaXYWHBBoxCoder`` measures widths so too, but leaves out the half
pixel between the center of the pixels and the middle of the box when it turns center and size into
corners.
"""

import math
from collections.abc import Sequence

import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import BaseBoxes, get_box_tensor
from torch import Tensor

from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class InclusiveDeltaXYWHBBoxCoder(DeltaXYWHBBoxCoder):
    """mmdet's coder for boxes of inclusive pixels.

    Decoded boxes lie in ``[0, width - 1]`` and ``[0, height - 1]``. Sizes grow by a factor of 62.5
    at most, and shrink without a bound.

    Args:
        **kwargs: Arguments of mmdet's ``DeltaXYWHBBoxCoder``.
    """

    def encode(self, bboxes: Tensor | BaseBoxes, gt_bboxes: Tensor | BaseBoxes) -> Tensor:
        """Return the deltas (n, 4) that turn boxes (n, 4) into others (n, 4)."""
        return super().encode(_with_last_pixel(get_box_tensor(bboxes)), _with_last_pixel(get_box_tensor(gt_bboxes)))

    def decode(
        self,
        bboxes: Tensor | BaseBoxes,
        pred_bboxes: Tensor,
        max_shape: Sequence[int] | None = None,
        wh_ratio_clip: float = 16 / 1000,
    ) -> Tensor:
        """Apply deltas.

        Args:
            bboxes (Tensor or BaseBoxes): (n, 4) boxes, xyxy in pixels.
            pred_bboxes (Tensor): (n, 4 * classes) deltas.
            max_shape (Sequence[int], optional): Height and width to clip to.
            wh_ratio_clip (float): Reciprocal of the bound on growth.

        Returns:
            Tensor: (n, 4 * classes) boxes, xyxy in pixels.
        """
        boxes = _with_last_pixel(get_box_tensor(bboxes))[:, None]  # (n, 1, 4)
        deltas = pred_bboxes.unflatten(1, (-1, 4))  # (n, classes, 4)
        deltas = deltas * deltas.new_tensor(self.stds) + deltas.new_tensor(self.means)
        size = boxes[..., 2:] - boxes[..., :2]
        center = boxes[..., :2] + 0.5 * size + deltas[..., :2] * size
        limit = -math.log(wh_ratio_clip)
        half = 0.5 * size * deltas[..., 2:].clamp(max=limit).exp()
        decoded = torch.cat([center - half, center + half - 1], -1)
        if self.clip_border and max_shape is not None:
            height, width = max_shape[:2]
            decoded[..., 0::2].clamp_(0, width - 1)
            decoded[..., 1::2].clamp_(0, height - 1)
        return decoded.flatten(1)  # (n, 4 * classes)


def _with_last_pixel(boxes: Tensor) -> Tensor:
    """Turn inclusive boxes (n, 4) into those whose width is ``x2 - x1``."""
    return torch.cat([boxes[:, :2], boxes[:, 2:] + 1], 1)
