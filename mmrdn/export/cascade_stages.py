# Copyright (c) mmrdn contributors. All rights reserved.
"""The stages of a cascade that work on single frames.

Legend: N proposals.
"""

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
            x (tuple[Tensor]): Feature maps, each (1, c, h, w).
            boxes (Tensor): (N, 4) xyxy in pixels; those without a side stay as they are.
            size (Tensor): (2,) height and width of the image without padding, pixels.

        Returns:
            tuple[Tensor, Tensor]: Boxes (N, 4), and the sum of the stages' class logits (N, num_classes + 1).
        """
        total: Tensor | float = 0.0
        for head, extractor in zip(self.heads, self.extractors):
            logits, deltas = head(extractor(x, to_rois(boxes)))
            total = total + logits
            scores = head.loss_cls.get_activation(logits) if head.custom_activation else logits
            labels = scores[:, : head.num_classes].argmax(1)  # no background
            boxes = clip_boxes(head.regress_by_class(boxes, labels, deltas, dict(img_shape=None)), size)
        return boxes, total
