# Copyright (c) mmrdn contributors. All rights reserved.
"""RoI head of RDN: paper sections 3.3 and 4."""
from typing import List, Optional, Sequence, Tuple

import torch
from mmdet.models import StandardRoIHead
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import InstanceList
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.registry import MODELS
from ..task_modules import RelationMemory


@MODELS.register_module()
class RDNRoIHead(StandardRoIHead):
    """mmdet's RoI head with relation between RoI features and predictors.

    Needs an :class:`RDNBBoxHead`. Without memories it is a plain Faster R-CNN
    head on single frames.
    """

    # Pools of the samples in :meth:`loss`, one each; none: no relation.
    _memories: Optional[Sequence[RelationMemory]] = None

    def extract(self, x: Tuple[Tensor],
                boxes_list: Sequence[Tensor]) -> List[Tensor]:
        """RoI features of the given boxes, before any relation.

        Args:
            x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
            boxes_list (Sequence[Tensor]): B tensors (n_b, 4), xyxy in pixels.

        Returns:
            list[Tensor]: B tensors (n_b, C).
        """
        feats = self._embed(x, bbox2roi(boxes_list))
        return list(feats.split([len(boxes) for boxes in boxes_list]))

    def _embed(self, x: Tuple[Tensor], rois: Tensor) -> Tensor:
        """(n, C) features of rois (n, 5).

        The RoI layer runs in fp32 under autocast too: boxes would lose half a
        pixel in fp16, and mmcv's layer knows no bf16. Nor does it look at
        strides: maps that are channels last would be read as nonsense. And
        boxes that are not numbers would make it read outside of the maps.

        Raises:
            ValueError: A box is NaN or infinite, as those of a training that
                diverges are.
        """
        if not torch.isfinite(rois).all():
            raise ValueError('the boxes of proposals became NaN or infinite: '
                             'the weights are, or the training diverged')
        x = [
            level.float().contiguous()
            for level in x[:self.bbox_roi_extractor.num_inputs]
        ]
        with torch.autocast(rois.device.type, enabled=False):
            roi_feats = self.bbox_roi_extractor(x, rois)  # (n, c, h, w)
        if self.with_shared_head:
            roi_feats = self.shared_head(roi_feats)
        return self.bbox_head.embed(roi_feats)

    def _bbox_forward(self, x: Tuple[Tensor], rois: Tensor) -> dict:
        """mmdet's hook: features, relation with each sample's pool, heads."""
        feats = self._embed(x, rois)
        if self._memories is not None:
            feats = torch.cat([
                memory.aggregate(feats[rois[:, 0] == i], rois[rois[:, 0] == i,
                                                              1:])
                for i, memory in enumerate(self._memories)
            ])  # (n, C): rois are ordered by sample
        cls_score, bbox_pred = self.bbox_head(feats)
        return dict(cls_score=cls_score, bbox_pred=bbox_pred, bbox_feats=feats)

    def loss(self,
             x: Tuple[Tensor],
             rpn_results_list: InstanceList,
             batch_data_samples: SampleList,
             memories: Optional[Sequence[RelationMemory]] = None) -> dict:
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

    def detect(self,
               feats: Tensor,
               boxes: Tensor,
               img_meta: dict,
               rescale: bool = True) -> InstanceData:
        """Classify, regress and suppress the proposals of one frame.

        Args:
            feats (Tensor): (N, C) features, augmented or not.
            boxes (Tensor): (N, 4) proposals, xyxy in pixels of the input.
            img_meta (dict): ``img_shape`` and, to rescale, ``scale_factor``.
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            InstanceData: ``bboxes`` (n, 4), ``scores``, ``labels`` and
            ``proposal_inds`` (n,), the rows of ``boxes`` they came from.

        Raises:
            ValueError: A class score is NaN or infinite, as in fp16 a number
                beyond 65504 becomes.
        """
        cls_score, bbox_pred = self.bbox_head(feats)
        if not torch.isfinite(cls_score).all():
            raise ValueError(f'frame {img_meta.get("frame_id", 0)}: class '
                             'scores became NaN or infinite')
        return self.bbox_head.predict_by_feat(
            rois=(bbox2roi([boxes]), ),
            cls_scores=(cls_score, ),
            bbox_preds=(bbox_pred, ),
            batch_img_metas=[img_meta],
            rcnn_test_cfg=self.test_cfg,
            rescale=rescale)[0]
