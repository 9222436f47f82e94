# Copyright (c) mmrdn contributors. All rights reserved.
"""The stages of a cascade that work on single frames.

Legend: B images, N proposals of each.
"""

import torch
import torch.nn as nn
from torch import Tensor

from mmrdn.export.boxes import clip_boxes, to_rois
from mmrdn.export.exportable_roi_extractor import ExportableRoIExtractor
from mmrdn.models.roi_heads import RDNCascadeRoIHead


class CascadeStages(nn.Module):
    """All stages of an ``RDNCascadeRoIHead`` but the last, which relation is part of.

    Args:
        head (RDNCascadeRoIHead): The cascade.
    """

    def __init__(self, head: RDNCascadeRoIHead) -> None:
        super().__init__()
        self.heads = nn.ModuleList(head.bbox_head[:-1])
        self.extractors = nn.ModuleList(map(ExportableRoIExtractor, head.bbox_roi_extractor[:-1]))

    def forward(self, x: tuple[Tensor, ...], boxes: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Refine proposals.

        Args:
            x (tuple[Tensor]): Feature maps, each (B, c, h, w).
            boxes (Tensor): (B, N, 4) xyxy in pixels; those without a side stay as they are.
            size (Tensor): (B, 2) heights and widths of the images without padding, pixels.

        Returns:
            tuple[Tensor, Tensor]: Boxes (B, N, 4), and the sum of the stages' class logits (B, N, num_classes + 1).
        """
        total: Tensor = torch.zeros((), device=boxes.device)
        for head, extractor in zip(self.heads, self.extractors):
            logits, deltas = head(extractor(x, to_rois(boxes)))
            total = total + logits
            scores = head.loss_cls.get_activation(logits) if head.custom_activation else logits
            labels = scores[:, : head.num_classes].argmax(1)  # no background
            refined = head.regress_by_class(boxes.flatten(0, 1), labels, deltas, dict(img_shape=None))
            boxes = clip_boxes(refined.view_as(boxes), size[:, None])
        return boxes, total.view(*boxes.shape[:2], total.shape[-1])
