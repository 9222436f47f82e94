# Copyright (c) mmrdn contributors. All rights reserved.
"""The two graphs that a detector is exported as.

Legend: N key proposals, K supports of a frame, M slots of the state, C channels, D detections at most.
"""

import torch
import torch.nn as nn
from torch import Tensor

from mmrdn.export.boxes import clip_boxes, keep_first, level_offsets
from mmrdn.export.exportable_roi_extractor import ExportableRoIExtractor
from mmrdn.export.padded_proposals import PaddedProposals
from mmrdn.models import RDN, RelationStep
from mmrdn.models.memory.relation_step import State
from mmrdn.models.roi_heads import RDNRoIHead
from mmrdn.ops import nms


class ExtractGraph(nn.Module):
    """A frame's way to its proposals: backbone, RPN, RoI features.

    Args:
        model (RDN): The detector.
    """

    def __init__(self, model: RDN) -> None:
        super().__init__()
        self.model = model
        self.proposals = PaddedProposals(model.detector.rpn_head)
        head = model.detector.roi_head
        self.extractor = ExportableRoIExtractor(head.bbox_roi_extractor)

    def forward(self, image: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what relation needs of a frame.

        Args:
            image (Tensor): (1, 3, H, W), normalized and padded.
            size (Tensor): (2,) int64 height and width without padding.

        Returns:
            tuple: RoI features (N, C), boxes (N, 4) xyxy in pixels of the image, objectness (N,)
            and () the number of proposals; the rows behind them are 0.
        """
        rpn_x, roi_x = self.model.feature_maps(image)
        boxes, scores, num = self.proposals(rpn_x, size)
        head: RDNRoIHead = self.model.detector.roi_head
        rois = torch.cat([torch.zeros_like(boxes[:, :1]), boxes], 1)
        roi_feats = self.extractor(roi_x, rois)
        if head.with_shared_head:
            roi_feats = head.shared_head(roi_feats)
        feats = head.bbox_head.embed(roi_feats)
        valid = (torch.arange(len(boxes), device=boxes.device) < num)[:, None]
        return torch.where(valid, feats, 0.0), boxes, scores, num


class DetectGraph(nn.Module):
    """Classify, regress and suppress the proposals of a frame.

    Args:
        model (RDN): The detector.
    """

    def __init__(self, model: RDN) -> None:
        super().__init__()
        self.head = model.detector.roi_head.relation_head
        self.cfg = model.detector.roi_head.test_cfg
        num = model.detector.rpn_head.test_cfg.max_per_img * self.head.num_classes
        self.num = min(self.cfg.max_per_img, num) if self.cfg.max_per_img > 0 else num

    def forward(self, feats: Tensor, boxes: Tensor, num: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        """Return the detections of a frame.

        Args:
            feats (Tensor): (N, C) features, augmented or not.
            boxes (Tensor): (N, 4) proposals, xyxy in pixels of the network's input.
            num (Tensor): () how many of them there are.
            size (Tensor): (2,) int64 height and width of the image without padding.

        Returns:
            tuple: Boxes (D, 4) xyxy in pixels of the input, scores (D,), best first, labels (D,) and
            proposals (D,) they come from. Rows without a detection have score -1.
        """
        logits, deltas = self.head(feats)
        scores = self.head.loss_cls.get_activation(logits) if self.head.custom_cls_channels else logits.softmax(-1)
        classes, columns = self.head.num_classes, 1 if self.head.reg_class_agnostic else self.head.num_classes
        owners = boxes[:, None].expand(-1, columns, -1).reshape(-1, 4)
        found = clip_boxes(self.head.bbox_coder.decode(owners, deltas.reshape(-1, 4)), size)
        found = found.view(-1, columns, 4).expand(-1, classes, -1)  # (N, classes, 4)
        counts = torch.arange(len(boxes), device=boxes.device)[:, None] < num
        rows, labels = ((scores[:, :classes] > self.cfg.score_thr) & counts).nonzero().unbind(1)
        # A last row of nothing, so that there is always one.
        candidates = torch.cat([found[rows, labels], found.new_zeros(1, 4)])
        ranks = torch.cat([scores[rows, labels], scores.new_full((1,), -1.0)])
        labels, rows = (torch.cat([part, part.new_zeros(1)]) for part in (labels, rows))
        apart = candidates + level_offsets(candidates, labels)
        kept = keep_first(nms(apart, ranks, self.cfg.nms.iou_threshold, self.cfg.nms.get('offset', 0)), self.num)
        ranks = torch.where(kept >= 0, ranks[kept], -1.0)
        return candidates[kept], ranks, labels[kept], rows[kept]


class RelateGraph(nn.Module):
    """Take a frame's supports into the state, and detect in another frame of it.

    Args:
        model (RDN): The detector, with a neck.
    """

    def __init__(self, model: RDN) -> None:
        super().__init__()
        max_frames = model.temporal_range + model.lookahead + 1
        self.step = RelationStep(model.neck, model.support_sampler, max_frames)
        self.detect = DetectGraph(model)

    def forward(
        self, state: State, supports: dict[str, Tensor], feats: Tensor, boxes: Tensor, num: Tensor, size: Tensor
    ) -> tuple[tuple[Tensor, ...], State]:
        """Append and detect.

        Args:
            state (dict[str, Tensor]): That of :class:`RelationStep`.
            supports (dict[str, Tensor]): ``feats`` (K, C), ``boxes`` (K, 4), ``scores`` (K,) of the
                newest frame, and ``num`` () their number.
            feats (Tensor): (N, C) RoI features of the key proposals.
            boxes (Tensor): (N, 4) their boxes.
            num (Tensor): () their number.
            size (Tensor): (2,) int64 height and width of the key frame without padding.

        Returns:
            tuple: The detections, see :class:`DetectGraph`, and the new state.
        """
        feats, state = self.step(state, **supports, keys=feats, key_boxes=boxes)
        return self.detect(feats, boxes, num, size), state
