# Copyright (c) mmrdn contributors. All rights reserved.
"""Box head of RDN: paper section 4, "Region Feature Extraction" and
"Relation Distillation Networks".

Deviations from the paper: none by default (one fc before the relation, then two parallel
predictors).
"""

import torch
from mmdet.models import ConvFCBBoxHead
from mmdet.models.layers import multiclass_nms
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.registry import MODELS


@MODELS.register_module()
class RDNBBoxHead(ConvFCBBoxHead):
    """A box head that is cut in two, so that relation fits in between.

    :meth:`embed` turns RoI features into vectors (shared convs and fcs), then
    relation augments them, then :meth:`forward` predicts from the vectors.

    Args:
        num_shared_fcs (int): Number of fc + ReLU layers before the relation, 1 or more.
        **kwargs: Arguments of mmdet's ``ConvFCBBoxHead``; ``num_cls_fcs`` and ``num_reg_fcs`` come after the
            relation.
    """

    def __init__(self, num_shared_fcs: int = 1, **kwargs) -> None:
        if num_shared_fcs < 1:
            raise ValueError(f'num_shared_fcs must be 1 or more, got {num_shared_fcs}: relation works on vectors')
        for name in ('num_cls_convs', 'num_reg_convs'):
            if kwargs.get(name, 0):
                raise ValueError(f'{name} must be 0, got {kwargs[name]}: relation works on vectors')
        # mmdet allows fcs of a branch behind shared fcs, and sizes them right.
        super().__init__(num_shared_fcs=num_shared_fcs, **kwargs)

    def embed(self, roi_feats: Tensor) -> Tensor:
        """Turn RoI features into vectors.

        Args:
            roi_feats (Tensor): RoI features, (n, in_channels, h, w).

        Returns:
            Tensor: (n, fc_out_channels).
        """
        for conv in self.shared_convs:
            roi_feats = conv(roi_feats)
        if self.with_avg_pool:
            roi_feats = self.avg_pool(roi_feats)
        feats = roi_feats.flatten(1)
        for fc in self.shared_fcs:
            feats = self.relu(fc(feats))
        return feats  # (n, fc_out_channels)

    def forward(self, feats: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Predict from (augmented) vectors.

        Args:
            feats (Tensor): Vectors, (n, fc_out_channels).

        Returns:
            tuple: Class logits (n, num_classes + 1) and box deltas
            (n, 4 * num_classes), either None where the head has none.
        """
        cls_feats = reg_feats = feats
        for fc in self.cls_fcs:
            cls_feats = self.relu(fc(cls_feats))
        for fc in self.reg_fcs:
            reg_feats = self.relu(fc(reg_feats))
        cls_score = self.fc_cls(cls_feats) if self.with_cls else None
        bbox_pred = self.fc_reg(reg_feats) if self.with_reg else None
        return cls_score, bbox_pred

    def _predict_by_feat_single(
        self, *, roi: Tensor, rcnn_test_cfg: ConfigDict | None = None, **inputs
    ) -> InstanceData:
        """Override mmdet's hook: each detection keeps the index of its proposal through NMS.

        Returns:
            InstanceData: ``bboxes`` (n, 4), ``scores``, ``labels`` and ``proposal_inds`` (n,), the
            rows of ``roi``; what mmdet returns if there is no ``rcnn_test_cfg``.
        """
        if rcnn_test_cfg is None or not len(roi):
            results = super()._predict_by_feat_single(roi=roi, rcnn_test_cfg=rcnn_test_cfg, **inputs)
            if rcnn_test_cfg is not None:
                results.proposal_inds = torch.zeros_like(results.labels)
            return results
        raw = super()._predict_by_feat_single(roi=roi, **inputs)  # without NMS
        limits = rcnn_test_cfg.score_thr, rcnn_test_cfg.nms, rcnn_test_cfg.max_per_img
        dets, labels, inds = multiclass_nms(raw.bboxes, raw.scores, *limits, return_inds=True)
        num_classes = raw.scores.shape[1] - 1
        return InstanceData(bboxes=dets[:, :4], scores=dets[:, 4], labels=labels, proposal_inds=inds // num_classes)
