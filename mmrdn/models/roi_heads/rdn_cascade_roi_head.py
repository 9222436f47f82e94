# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN in the last stage of Cascade R-CNN (Cai and Vasconcelos, CVPR 2018).

All stages but the last work on single frames, as mmdet's: they refine the proposals of every frame,
supports included. Relation is part of the last stage: its RoI features are those of the refined
boxes, which are the boxes that geometry is made of. Supports are chosen by RPN's objectness, as in
the paper. In testing the class scores of all stages are averaged, as in mmdet.

So a frame still passes once, and neither proposals nor maps wait for others.
"""

from mmdet.models import CascadeRoIHead
from mmdet.structures.bbox import bbox2roi
from torch import Tensor

from mmrdn.models.memory import FrameProposals
from mmrdn.models.roi_heads.bbox_heads import RDNBBoxHead
from mmrdn.models.roi_heads.rdn_roi_head import RelationRoIHead, roi_features
from mmrdn.registry import MODELS


@MODELS.register_module()
class RDNCascadeRoIHead(RelationRoIHead, CascadeRoIHead):
    """mmdet's cascade with relation in its last stage.

    ``bbox_head`` lists the heads of the stages: mmdet's, then one :class:`RDNBBoxHead`. Without
    memories it is mmdet's cascade on single frames.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        *others, last = (isinstance(h, RDNBBoxHead) for h in self.bbox_head)
        if not last or not others or any(others):
            raise ValueError(
                'bbox_head must list 2 heads or more, the last an RDNBBoxHead '
                'and the others none, got ' + ', '.join(type(head).__name__ for head in self.bbox_head)
            )

    @property
    def relation_head(self) -> RDNBBoxHead:
        """RDNBBoxHead: The head of the last stage."""
        return self.bbox_head[-1]

    def _embed(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """Return the (n, C) features of rois (n, 5) for the last stage."""
        return self.relation_head.embed(roi_features(self.bbox_roi_extractor[-1], x, rois))

    def _bbox_forward(self, stage: int, x: tuple[Tensor], rois: Tensor) -> dict:
        """Override mmdet's hook: the predictions of a stage, the last one with relation."""
        if stage == self.num_stages - 1:
            return self._relate_and_predict(x, rois)
        feats = roi_features(self.bbox_roi_extractor[stage], x, rois)
        cls_score, bbox_pred = self.bbox_head[stage](feats)
        return dict(cls_score=cls_score, bbox_pred=bbox_pred, bbox_feats=feats)

    def _refine(
        self, x: tuple[Tensor], boxes: list[Tensor], img_metas: list[dict]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Override the hook of :class:`RelationRoIHead`: run the stages before the last one."""
        nums, total = [len(b) for b in boxes], 0
        for stage, head in enumerate(self.bbox_head[:-1]):
            found = self._bbox_forward(stage, x, bbox2roi(boxes))
            scores = found['cls_score']
            total = total + scores
            if head.custom_activation:
                scores = head.loss_cls.get_activation(scores)
            labels = scores[:, : head.num_classes].argmax(1)  # no background
            boxes = [
                head.regress_by_class(*parts)
                for parts in zip(boxes, labels.split(nums), found['bbox_pred'].split(nums), img_metas)
            ]
        return boxes, list(total.split(nums))

    def _final_scores(self, cls_score: Tensor, frame: FrameProposals) -> Tensor:
        """Return the average class logits of all stages."""
        return (frame.stage_scores + cls_score) / self.num_stages
