# Copyright (c) mmrdn contributors. All rights reserved.
"""RoI heads with relation: paper sections 3.3 and 4.

Legend: B frames, P proposals of a frame, n RoIs, C channels.
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmdet.models.roi_heads import BaseRoIHead
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import InstanceList
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.models.memory import FrameProposals, RelationMemory
from mmrdn.models.roi_heads.bbox_heads import RDNBBoxHead


class RelationRoIHead(BaseRoIHead):
    """What RDN asks of a RoI head, to be put in front of one of mmdet's.

    Relation sits inside of :attr:`relation_head`: behind the part that makes vectors of RoI
    features, before the predictors. Without memories there is none, and the head is mmdet's.
    """

    # Pools of the samples in :meth:`loss`, one each; none: no relation.
    _memories: Sequence[RelationMemory] | None = None

    @property
    @abstractmethod
    def relation_head(self) -> RDNBBoxHead:
        """RDNBBoxHead: The box head that relation is part of."""

    @abstractmethod
    def _embed(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """(n, C) features of rois (n, 5), before any relation."""

    def extract(self, x: tuple[Tensor], boxes_list: Sequence[Tensor]) -> list[Tensor]:
        """RoI features of the given boxes, before any relation.

        Args:
            x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
            boxes_list (Sequence[Tensor]): B tensors (n_b, 4), xyxy in pixels.

        Returns:
            list[Tensor]: B tensors (n_b, C).
        """
        feats = self._embed(x, bbox2roi(boxes_list))
        return list(feats.split([len(boxes) for boxes in boxes_list]))

    def frames(
        self, x: tuple[Tensor], proposals: Sequence[InstanceData], data_samples: SampleList
    ) -> list[FrameProposals]:
        """Make proposals ready for relation, whatever frames they support.

        Args:
            x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
            proposals (Sequence[InstanceData]): B times ``bboxes`` (P, 4) xyxy in pixels and
                ``scores`` (P,), objectness.
            data_samples (list[TrackDataSample]): B samples.

        Returns:
            list[FrameProposals]: B of them, rows as in ``proposals``.
        """
        boxes = [p.bboxes.detach() for p in proposals]
        return [
            FrameProposals(f, b, p.scores.detach(), sample)
            for f, b, p, sample in zip(self.extract(x, boxes), boxes, proposals, data_samples)
        ]

    def _relate_and_predict(self, x: tuple[Tensor], rois: Tensor) -> dict:
        """What mmdet's ``_bbox_forward`` returns, by the relation head."""
        feats = self._embed(x, rois)
        if self._memories is not None:
            feats = torch.cat(
                [
                    memory.aggregate(feats[rois[:, 0] == i], rois[rois[:, 0] == i, 1:])
                    for i, memory in enumerate(self._memories)
                ]
            )  # (n, C): rois are ordered by sample
        cls_score, bbox_pred = self.relation_head(feats)
        return dict(cls_score=cls_score, bbox_pred=bbox_pred, bbox_feats=feats)

    def loss(
        self,
        x: tuple[Tensor],
        rpn_results_list: InstanceList,
        batch_data_samples: SampleList,
        memories: Sequence[RelationMemory] | None = None,
    ) -> dict:
        """Losses over the sampled proposals of the reference frames.

        Args:
            x (tuple[Tensor]): Feature maps of B reference frames.
            rpn_results_list (list[InstanceData]): Their proposals.
            batch_data_samples (list[TrackDataSample]): Their ground truth.
            memories (Sequence[RelationMemory], optional): Their pools.

        Returns:
            dict[str, Tensor]: Loss components.
        """
        self._memories = memories
        try:
            return super().loss(x, rpn_results_list, batch_data_samples)
        finally:
            self._memories = None

    def detect(self, feats: Tensor, frame: FrameProposals, rescale: bool = True) -> InstanceData:
        """Classify, regress and suppress the proposals of one frame.

        Args:
            feats (Tensor): (P, C) features, augmented or not.
            frame (FrameProposals): P proposals of :meth:`frames`.
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            InstanceData: ``bboxes`` (n, 4), ``scores``, ``labels`` and
            ``proposal_inds`` (n,), the rows of ``frame`` they came from.

        Raises:
            ValueError: A class score is NaN or infinite, as in fp16 a number beyond 65504 becomes.
        """
        cls_score, bbox_pred = self.relation_head(feats)
        cls_score = self._final_scores(cls_score, frame)
        img_meta = frame.data_sample.metainfo
        if not torch.isfinite(cls_score).all():
            raise ValueError(f'frame {img_meta.get("frame_id", 0)}: class scores became NaN or infinite')
        return self.relation_head.predict_by_feat(
            rois=(bbox2roi([frame.boxes]),),
            cls_scores=(cls_score,),
            bbox_preds=(bbox_pred,),
            batch_img_metas=[img_meta],
            rcnn_test_cfg=self.test_cfg,
            rescale=rescale,
        )[0]

    def _final_scores(self, cls_score: Tensor, frame: FrameProposals) -> Tensor:
        """Class logits (P, num_classes + 1) that count in testing."""
        return cls_score
