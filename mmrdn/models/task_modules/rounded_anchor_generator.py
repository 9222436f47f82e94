# Copyright (c) mmrdn contributors. All rights reserved.
"""Anchors of the first Faster R-CNN, which are rounded before they are scaled.

Ren et al., NIPS 2015, and maskrcnn-benchmark after it. mmdet's ``LegacyAnchorGenerator`` scales
first and rounds then: at stride 16 its anchor of 64 pixels and ratio 1:2 is 90 x 45 pixels, this
one 92 x 48.
"""

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor

from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class RoundedAnchorGenerator(AnchorGenerator):
    """mmdet's anchors, with integer sizes around the middle of the first cell.

    Args:
        **kwargs: Arguments of mmdet's ``AnchorGenerator``; ``centers`` and ``center_offset`` are not
            read.
    """

    def gen_single_level_base_anchors(
        self, base_size: int, scales: Tensor, ratios: Tensor, center: tuple[float, float] | None = None
    ) -> Tensor:
        """Make the anchors of the first cell.

        Args:
            base_size (int): Side of the cell in pixels.
            scales (Tensor): (s,) sizes in cells.
            ratios (Tensor): (r,) height / width.
            center (tuple, optional): Not read.

        Returns:
            Tensor: (r * s, 4) anchors, xyxy in inclusive pixels; all scales of the first ratio, then
            of the next, if ``scale_major``.
        """
        # Halves are rounded to even, by torch as by numpy.
        width = (base_size**2 / ratios.double()).sqrt().round()  # (r,)
        height = (width * ratios.double()).round()
        size = torch.stack([width, height], -1)[:, None]  # (r, 1, 2)
        size = size * scales.double()[:, None]  # (r, s, 2)
        if not self.scale_major:
            size = size.transpose(0, 1)
        half = (size.reshape(-1, 2) - 1) / 2
        middle = (base_size - 1) / 2
        return torch.cat([middle - half, middle + half], 1).float()
