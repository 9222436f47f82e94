# Copyright (c) mmrdn contributors. All rights reserved.
"""The graphs that a detector is exported as.

Legend: B images, N key proposals, K supports of a frame, M slots of the state, C channels, D detections at most.
"""

import torch
import torch.nn as nn
from torch import Tensor

from mmrdn.export.boxes import clip_boxes, level_offsets, to_rois
from mmrdn.export.cascade_stages import CascadeStages
from mmrdn.export.exportable_roi_extractor import ExportableRoIExtractor
from mmrdn.export.exportable_swin import exportable_swin
from mmrdn.export.incremental_relation_step import IncrementalRelationStep
from mmrdn.export.padded_proposals import PaddedProposals
from mmrdn.models import RDN
from mmrdn.models.memory.relation_step import State
from mmrdn.models.roi_heads import RDNCascadeRoIHead
from mmrdn.ops import image_nms


class ExtractGraph(nn.Module):
    """The way of frames to their proposals: backbone, RPN, stages of a cascade before the last, RoI features.

    Args:
        model (RDN): The detector.

    Attributes:
        names (tuple[str, ...]): Names of the outputs.
    """

    names: tuple[str, ...] = ('feats', 'boxes', 'scores', 'num')

    def __init__(self, model: RDN) -> None:
        super().__init__()
        self.model = model = exportable_swin(model)
        self.proposals = PaddedProposals(model.detector.rpn_head)
        self.head = model.detector.roi_head
        self.stages, extractor = None, self.head.bbox_roi_extractor
        if isinstance(self.head, RDNCascadeRoIHead):
            self.stages, extractor = CascadeStages(self.head), extractor[-1]
            self.names = (*self.names, 'stage_scores')
        self.extractor = ExportableRoIExtractor(extractor)

    def forward(self, image: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        """Return what relation needs of B frames, which may belong to several videos.

        Args:
            image (Tensor): (B, 3, H, W), normalized and padded; with Swin to multiples of its stride.
            size (Tensor): (B, 2) int64 heights and widths without padding.

        Returns:
            tuple: RoI features (B, N, C), boxes (B, N, 4) xyxy in pixels of the image, objectness (B, N)
            and (B,) the numbers of proposals; the rows behind them are 0. Of a cascade also the sum
            (B, N, num_classes + 1) of the class logits of its other stages.
        """
        rpn_x, roi_x = self.model.feature_maps(image)
        boxes, scores, num = self.proposals(rpn_x, size)
        refined: tuple[Tensor, ...] = ()
        if self.stages is not None:
            boxes, *refined = self.stages(roi_x, boxes, size)
        roi_feats = self.extractor(roi_x, to_rois(boxes))
        if self.head.with_shared_head:
            roi_feats = self.head.shared_head(roi_feats)
        feats = self.head.relation_head.embed(roi_feats)
        feats = feats.view(*boxes.shape[:2], feats.shape[1])
        valid = torch.arange(boxes.shape[1], device=boxes.device) < num[:, None]
        return (torch.where(valid[..., None], feats, 0.0), boxes, scores, num, *refined)


class DetectGraph(nn.Module):
    """Classify, regress and suppress the proposals of a frame.

    Args:
        model (RDN): The detector.
    """

    def __init__(self, model: RDN) -> None:
        super().__init__()
        roi_head = model.detector.roi_head
        self.head = roi_head.relation_head
        self.num_stages = getattr(roi_head, 'num_stages', 1)
        self.cfg = roi_head.test_cfg
        num = model.detector.rpn_head.test_cfg.max_per_img * self.head.num_classes
        self.num = min(self.cfg.max_per_img, num) if self.cfg.max_per_img > 0 else num

    def forward(
        self, feats: Tensor, boxes: Tensor, num: Tensor, size: Tensor, stage_scores: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the detections of a frame.

        Args:
            feats (Tensor): (N, C) features, augmented or not.
            boxes (Tensor): (N, 4) proposals, xyxy in pixels of the network's input.
            num (Tensor): () how many of them there are.
            size (Tensor): (2,) int64 height and width of the image without padding.
            stage_scores (Tensor, optional): (N, num_classes + 1) sum of the class logits of a
                cascade's other stages.

        Returns:
            tuple: Boxes (D, 4) xyxy in pixels of the input, scores (D,), best first, labels (D,) and
            proposals (D,) they come from. Rows without a detection have score -1.
        """
        logits, deltas = self.head(feats)
        if stage_scores is not None:
            logits = (stage_scores + logits) / self.num_stages
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
        apart = candidates[None] + level_offsets(candidates[None], labels)
        nms = self.cfg.nms
        (kept,) = image_nms(apart, ranks[None], nms.iou_threshold, self.num, nms.get('offset', 0)).unbind()
        inds = kept.clamp(min=0)
        return candidates[inds], torch.where(kept >= 0, ranks[inds], -1.0), labels[inds], rows[inds]


class AppendGraph(nn.Module):
    """Take a frame's supports into the state, and nothing else: for the frames that a video begins with.

    Args:
        step (IncrementalRelationStep): That of the other graph.
    """

    def __init__(self, step: IncrementalRelationStep) -> None:
        super().__init__()
        self.step = step

    def forward(self, state: State, supports: dict[str, Tensor]) -> State:
        """Return the new state; the arguments are those of :class:`RelateGraph`."""
        return self.step.append(state, **supports)


class RelateGraph(nn.Module):
    """Take a frame's supports into the state, and detect in another frame of it.

    Args:
        model (RDN): The detector, with a neck.

    Attributes:
        links (bool): Whether relation weights to the next frame are returned: there is a basic stage,
            and the state holds the next frame.
    """

    def __init__(self, model: RDN) -> None:
        super().__init__()
        max_frames = model.temporal_range + model.lookahead + 1
        self.step = IncrementalRelationStep(model.neck, model.support_sampler, max_frames)
        self.detect = DetectGraph(model)
        self.links = model.neck.num_basic > 0 and model.lookahead > 0
        self.next_slot = (model.temporal_range + 1) * model.support_sampler.num_support

    def forward(
        self,
        state: State,
        supports: dict[str, Tensor],
        feats: Tensor,
        boxes: Tensor,
        num: Tensor,
        size: Tensor,
        stage_scores: Tensor | None = None,
    ) -> tuple[tuple[Tensor, ...], State]:
        """Append and detect.

        Args:
            state (dict[str, Tensor]): That of :class:`IncrementalRelationStep`.
            supports (dict[str, Tensor]): ``feats`` (K, C), ``boxes`` (K, 4), ``scores`` (K,) of the
                newest frame, and ``num`` () their number.
            feats (Tensor): (N, C) RoI features of the key proposals.
            boxes (Tensor): (N, 4) their boxes.
            num (Tensor): () their number.
            size (Tensor): (2,) int64 height and width of the key frame without padding.
            stage_scores (Tensor, optional): See :class:`DetectGraph`.

        Returns:
            tuple: The detections, see :class:`DetectGraph`, with mean attention weights (D, K) to
            the supports of the next frame if there are such; and the new state.
        """
        state = self.step.append(state, **supports)
        related, state = self.step.relate_and_keep(state, feats, boxes, return_weights=self.links)
        feats, weights = related if self.links else (related, None)
        detections = self.detect(feats, boxes, num, size, stage_scores)
        if weights is not None:
            weights = weights.narrow(1, self.next_slot, self.step.sampler.num_support)  # (N, K)
            detections = (*detections, weights.index_select(0, detections[-1]))
        return detections, state
