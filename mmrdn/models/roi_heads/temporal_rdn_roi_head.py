# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN with Temporal RoI Align (Gong et al., AAAI 2021) as its RoI layer."""

import torch
from mmtrack.models.roi_heads.roi_extractors import TemporalRoIAlign
from torch import Tensor

from mmrdn.models.roi_heads.rdn_roi_head import FrameMaps, RDNRoIHead, roi_features
from mmrdn.registry import MODELS
from mmrdn.utils.checks import check_num_frames


@MODELS.register_module()
class TemporalRDNRoIHead(RDNRoIHead):
    """RDN's RoI head whose RoI features see feature maps of other frames.

    Needs a ``mmtrack.TemporalRoIAlign`` as ``bbox_roi_extractor``, and a
    :class:`TemporalRDN` around it: feature maps are :class:`FrameMaps` with the maps that each
    frame sees, one or more of :meth:`compared_level`.

    Args:
        num_maps (int): Number of earlier frames whose maps a frame sees in testing.
        **kwargs: Arguments of :class:`RDNRoIHead`.
    """

    def __init__(self, num_maps: int = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        check_num_frames('num_maps', num_maps, 1)
        self.num_maps = num_maps
        if not isinstance(self.bbox_roi_extractor, TemporalRoIAlign):
            raise ValueError(
                f'bbox_roi_extractor must be a mmtrack.TemporalRoIAlign, got a {type(self.bbox_roi_extractor).__name__}'
            )

    def compared_level(self, x: tuple[Tensor]) -> Tensor:
        """Return the maps (B, c, h, w) that mmtrack compares: the last it gets."""
        return x[self.bbox_roi_extractor.num_inputs - 1]

    def _roi_features(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """Return the (n, c, h, w) features of rois (n, 5), ordered by frame."""
        if not isinstance(x, FrameMaps) or x.seen is None:
            raise ValueError('TemporalRDNRoIHead works only in a TemporalRDN, which provides the other frames')
        parts = []
        for i in range(len(x[0])):
            own = tuple(level[i : i + 1] for level in x)
            mine = rois[rois[:, 0] == i] * rois.new_tensor([0, 1, 1, 1, 1])
            # mmtrack's layer cannot compare maps with no RoI at all.
            sees = dict(ref_feats=[x.seen[i].float()]) if len(mine) else {}
            parts.append(roi_features(self.bbox_roi_extractor, own, mine, **sees))
        return torch.cat(parts)
