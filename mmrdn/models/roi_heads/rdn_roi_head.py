# Copyright (c) mmrdn contributors. All rights reserved.
"""RoI head of RDN: paper sections 3.3 and 4.

Legend: B frames, P proposals of a frame, n RoIs, C channels.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence

import torch
import torch.nn as nn
from mmdet.models.roi_heads import BaseRoIHead, StandardRoIHead
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.models.memory import FrameProposals, RelationMemory
from mmrdn.models.roi_heads.bbox_heads import RDNBBoxHead
from mmrdn.registry import MODELS


class FrameMaps(tuple):
    """Feature maps of B frames, and the memories that their RoIs relate to.

    mmdet's ``loss`` passes its first argument through to the methods that read the maps, and
    nothing else. So whatever belongs to the frames of a call is part of that argument.

    Args:
        levels (Iterable[Tensor]): Feature maps, each (B, c, h, w).
        memories (Sequence[RelationMemory], optional): Pools of the B frames; no relation without.
        seen (Sequence[Tensor], optional): For each frame the maps (R, c, h, w) of other frames
            that its RoI features are mixed with, see :class:`TemporalRDNRoIHead`.
    """

    memories: Sequence[RelationMemory] | None
    seen: Sequence[Tensor] | None

    def __new__(
        cls,
        levels: Iterable[Tensor],
        memories: Sequence[RelationMemory] | None = None,
        seen: Sequence[Tensor] | None = None,
    ) -> 'FrameMaps':
        maps = super().__new__(cls, levels)
        maps.memories, maps.seen = memories, seen
        return maps

    def first(self, num: int, memories: Sequence[RelationMemory] | None = None) -> 'FrameMaps':
        """Return the maps of the first frames.

        Args:
            num (int): Number of frames.
            memories (Sequence[RelationMemory], optional): Pools of these frames.
        """
        return FrameMaps((level[:num] for level in self), memories, self.seen)


class RelationRoIHead(BaseRoIHead):
    """Mixin for RoI heads of mmdet: relation inside of :attr:`relation_head`.

    Relation comes after the part that turns RoI features into vectors, before the predictors.
    Without memories there is none, and the head is mmdet's.
    """

    @property
    @abstractmethod
    def relation_head(self) -> RDNBBoxHead:
        """RDNBBoxHead: The box head that relation is part of."""

    @abstractmethod
    def _embed(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """Return the (n, C) features of rois (n, 5), before any relation."""

    def extract(self, x: tuple[Tensor], boxes_list: Sequence[Tensor]) -> list[Tensor]:
        """Return RoI features of the given boxes, before any relation.

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
        """Make proposals ready for relation, as key proposals or as supports.

        Args:
            x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
            proposals (Sequence[InstanceData]): B times ``bboxes`` (P, 4) xyxy in pixels and
                ``scores`` (P,), objectness.
            data_samples (list[TrackDataSample]): B samples.

        Returns:
            list[FrameProposals]: B of them, rows as in ``proposals``; of a cascade refined boxes, RPN's
            objectness and ``stage_scores``.
        """
        with torch.no_grad():
            metas = [sample.metainfo for sample in data_samples]
            boxes, scores = self._refine(x, [p.bboxes.detach() for p in proposals], metas)
        return [
            FrameProposals(f, b, p.scores.detach(), sample, s)
            for f, b, p, sample, s in zip(self.extract(x, boxes), boxes, proposals, data_samples, scores)
        ]

    def _refine(
        self, x: tuple[Tensor], boxes: list[Tensor], img_metas: list[dict]
    ) -> tuple[list[Tensor], Sequence[Tensor | None]]:
        """Return the B boxes (P, 4) that relation sees and, of a cascade, sums (P, columns) of its class logits."""
        return boxes, [None] * len(boxes)

    def _relate_and_predict(self, x: tuple[Tensor], rois: Tensor) -> dict:
        """Return what mmdet's ``_bbox_forward`` returns, by the relation head.

        Args:
            x (tuple[Tensor] or FrameMaps): Feature maps of B frames, with their pools in training.
            rois (Tensor): (n, 5) index of the frame and box, ordered by frame.
        """
        feats = self._embed(x, rois)
        if isinstance(x, FrameMaps) and x.memories is not None:
            feats = torch.cat(
                [
                    memory.aggregate(feats[rois[:, 0] == i], rois[rois[:, 0] == i, 1:])
                    for i, memory in enumerate(x.memories)
                ]
            )  # (n, C)
        cls_score, bbox_pred = self.relation_head(feats)
        return dict(cls_score=cls_score, bbox_pred=bbox_pred, bbox_feats=feats)

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
        img_meta, finite = frame.data_sample.metainfo, torch.isfinite(cls_score).all()
        results = self.relation_head.predict_by_feat(
            rois=(bbox2roi([frame.boxes]),),
            cls_scores=(cls_score,),
            bbox_preds=(bbox_pred,),
            batch_img_metas=[img_meta],
            rcnn_test_cfg=self.test_cfg,
            rescale=rescale,
        )[0]
        if not finite:  # looked at behind NMS, which waits for the device anyway
            raise ValueError(f'frame {img_meta.get("frame_id", 0)}: class scores became NaN or infinite')
        return results

    def _final_scores(self, cls_score: Tensor, frame: FrameProposals) -> Tensor:
        """Return the class logits (P, num_classes + 1) that count in testing."""
        return cls_score


@MODELS.register_module()
class RDNRoIHead(RelationRoIHead, StandardRoIHead):
    """mmdet's RoI head with relation between RoI features and predictors.

    Needs an :class:`RDNBBoxHead`. Without memories it is a plain Faster R-CNN head on single
    frames.
    """

    @property
    def relation_head(self) -> RDNBBoxHead:
        """RDNBBoxHead: The only box head."""
        return self.bbox_head

    def _embed(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """Return the (n, C) features of rois (n, 5), before any relation."""
        roi_feats = self._roi_features(x, rois)  # (n, c, h, w)
        if self.with_shared_head:
            roi_feats = self.shared_head(roi_feats)
        return self.bbox_head.embed(roi_feats)

    def _roi_features(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """Return the (n, c, h, w) features of rois (n, 5), see :func:`roi_features`."""
        return roi_features(self.bbox_roi_extractor, x, rois)

    def _bbox_forward(self, x: tuple[Tensor], rois: Tensor) -> dict:
        """Override mmdet's hook: features, relation with each frame's pool, predictors."""
        return self._relate_and_predict(x, rois)


def _runs_behind(device: torch.device) -> bool:
    """Return whether a device works behind the host, so that asking it for a value waits."""
    return device.type != 'cpu'


def roi_features(extractor: nn.Module, x: tuple[Tensor], rois: Tensor, **kwargs) -> Tensor:
    """Run a RoI extractor on maps that it can read.

    The RoI layer runs in fp32 under autocast too: boxes would lose half a pixel in fp16, and mmcv's
    layer has no bf16. Maps are made contiguous, as it ignores strides and would misread channels last.
    Boxes that are NaN or infinite are refused on CPUs, where it would read outside of the maps; elsewhere
    asking would wait, and features become NaN, which ``detect`` and ``FiniteLossHook`` see.

    Args:
        extractor (nn.Module): A RoI extractor of mmdet or mmtrack.
        x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
        rois (Tensor): (n, 5), index of the frame and box.
        **kwargs: Further arguments of the extractor.

    Returns:
        Tensor: (n, c, h', w').

    Raises:
        ValueError: A box is NaN or infinite, as those of a training that diverges are; not on accelerators,
            where asking waits.
    """
    if not _runs_behind(rois.device) and not torch.isfinite(rois).all():
        raise ValueError('the boxes of proposals became NaN or infinite: the weights are, or the training diverged')
    x = [level.float().contiguous() for level in x[: extractor.num_inputs]]
    with torch.autocast(rois.device.type, enabled=False):
        return extractor(x, rois, **kwargs)
