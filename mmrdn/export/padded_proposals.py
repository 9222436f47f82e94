# Copyright (c) mmrdn contributors. All rights reserved.
"""RPN with as many rows at every frame, those without a proposal masked.

Legend: N proposals, P anchors that pass to NMS in all, A anchors.
"""

import torch
import torch.nn as nn
from mmdet.models.dense_heads import RPNHead
from torch import Tensor

from mmrdn.export.boxes import clip_boxes, keep_first, level_offsets
from mmrdn.ops import nms


class PaddedProposals(nn.Module):
    """The proposals of mmdet's ``RPNHead.predict`` in one image, padded to N rows.

    Args:
        head (RPNHead): The head, with the ``test_cfg`` that counts.
    """

    def __init__(self, head: RPNHead) -> None:
        super().__init__()
        self.head = head
        self.num = head.test_cfg.max_per_img

    def forward(self, x: tuple[Tensor, ...], size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Propose.

        Args:
            x (tuple[Tensor]): Feature maps, each (1, c, h, w).
            size (Tensor): (2,) height and width of the image without padding, pixels.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Boxes (N, 4) xyxy in pixels, objectness (N,), and () the number
            of rows that are proposals: the first ones.
        """
        cls_scores, bbox_preds = self.head(tuple(level.float() for level in x))
        sizes = [score.shape[-2:] for score in cls_scores]
        priors = self.head.prior_generator.grid_priors(sizes, device=x[0].device)
        levels = [self._best(*parts) for parts in zip(cls_scores, bbox_preds, priors)]
        scores, deltas, anchors = (torch.cat(part) for part in zip(*levels))
        boxes = clip_boxes(self.head.bbox_coder.decode(anchors, deltas), size)  # (P, 4)
        cfg = self.head.test_cfg
        sides = boxes[:, 2:] - boxes[:, :2]
        valid = scores >= 0
        if cfg.get('min_bbox_size', -1) >= 0:
            valid = valid & (sides > cfg.min_bbox_size).all(1)
        ranks = torch.where(valid, scores, -1.0)
        ids = torch.arange(len(levels), device=boxes.device).repeat_interleave(len(levels[0][0]))
        boxes = torch.where(valid[:, None], boxes, 0.0)
        kept = nms(boxes + level_offsets(boxes, ids), ranks, cfg.nms.iou_threshold, cfg.nms.get('offset', 0))
        kept = keep_first(kept, self.num)
        ranks = torch.where(kept >= 0, ranks[kept], -1.0)
        found = ranks >= 0
        return torch.where(found[:, None], boxes[kept], 0.0), torch.where(found, ranks, 0.0), found.sum()

    def _best(self, cls_score: Tensor, bbox_pred: Tensor, priors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return objectness (p,), deltas (p, 4) and anchors (p, 4) of the best of a level; -1 where there are fewer."""
        logits = cls_score[0].permute(1, 2, 0).reshape(-1, self.head.cls_out_channels)  # (A, 1)
        scores = logits.sigmoid() if self.head.use_sigmoid_cls else logits.softmax(-1)[:, :-1]
        deltas = bbox_pred[0].permute(1, 2, 0).reshape(-1, 4)
        num = self.head.test_cfg.nms_pre
        # Of small images all anchors, and the padding after them.
        scores = torch.cat([scores[:, 0], scores.new_full((num,), -1.0)])
        best, inds = scores.topk(num)
        inds = torch.where(best >= 0, inds, 0)
        return best, deltas[inds], priors[inds]
