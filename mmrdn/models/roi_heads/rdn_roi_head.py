# Copyright (c) mmrdn contributors. All rights reserved.
"""RoI head of RDN: paper sections 3.3 and 4."""

from mmdet.models import StandardRoIHead
from torch import Tensor

from mmrdn.models.roi_heads.bbox_heads import RDNBBoxHead
from mmrdn.models.roi_heads.relation_roi_head import RelationRoIHead, roi_features
from mmrdn.registry import MODELS


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
