# Copyright (c) mmrdn contributors. All rights reserved.
"""RPN with as many rows at every frame, those without a proposal masked.

Legend: B images; of each N proposals, P anchors that pass to NMS in all, A anchors.
"""

import torch
import torch.nn as nn
from mmdet.models.dense_heads import RPNHead
from torch import Tensor

from mmrdn.export.boxes import clip_boxes, level_offsets, pick_rows
from mmrdn.ops import image_nms


class PaddedProposals(nn.Module):
    """The proposals of mmdet's ``RPNHead.predict``, padded to N rows an image.

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
            x (tuple[Tensor]): Feature maps, each (B, c, h, w).
            size (Tensor): (B, 2) heights and widths of the images without padding, pixels.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Boxes (B, N, 4) xyxy in pixels, objectness (B, N), and (B,) the number
            of rows that are proposals: the first ones.
        """
        cls_scores, bbox_preds = self.head(tuple(level.float() for level in x))
        sizes = [score.shape[-2:] for score in cls_scores]
        priors = self.head.prior_generator.grid_priors(sizes, device=x[0].device)
        levels = [self._best(*parts) for parts in zip(cls_scores, bbox_preds, priors)]
        scores, deltas, anchors = (torch.cat(part, 1) for part in zip(*levels))
        boxes = self.head.bbox_coder.decode(anchors.flatten(0, 1), deltas.flatten(0, 1)).view_as(anchors)
        boxes = clip_boxes(boxes, size[:, None])  # (B, P, 4)
        cfg = self.head.test_cfg
        sides = boxes[..., 2:] - boxes[..., :2]
        valid = scores >= 0
        if cfg.get('min_bbox_size', -1) >= 0:
            valid = valid & (sides > cfg.min_bbox_size).all(-1)
        ranks = torch.where(valid, scores, -1.0)
        ids = torch.arange(len(levels), device=boxes.device).repeat_interleave(cfg.nms_pre)
        boxes = torch.where(valid[..., None], boxes, 0.0)
        apart = boxes + level_offsets(boxes, ids)
        kept = image_nms(apart, ranks, cfg.nms.iou_threshold, self.num, cfg.nms.get('offset', 0))  # (B, N)
        inds = kept.clamp(min=0)
        ranks = torch.where(kept >= 0, ranks.gather(1, inds), -1.0)
        found = ranks >= 0
        boxes = torch.where(found[..., None], pick_rows(boxes, inds), 0.0)
        return boxes, torch.where(found, ranks, 0.0), found.sum(1)

    def _best(self, cls_score: Tensor, bbox_pred: Tensor, priors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return objectness (B, p), deltas and anchors (B, p, 4) of the best of a level; -1 where there are fewer."""
        num_images = cls_score.shape[0]
        logits = cls_score.permute(0, 2, 3, 1).reshape(num_images, -1, self.head.cls_out_channels)  # (B, A, 1)
        scores = logits.sigmoid() if self.head.use_sigmoid_cls else logits.softmax(-1)[..., :-1]
        deltas = bbox_pred.permute(0, 2, 3, 1).reshape(num_images, -1, 4)
        num = self.head.test_cfg.nms_pre
        # Of small images all anchors, and the padding after them.
        scores = torch.cat([scores[..., 0], scores.new_full((num_images, num), -1.0)], 1)
        best, inds = scores.topk(num, 1)
        inds = torch.where(best >= 0, inds, 0)
        return best, pick_rows(deltas, inds), priors[inds]
