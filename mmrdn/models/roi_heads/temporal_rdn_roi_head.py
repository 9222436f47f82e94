# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN with Temporal RoI Align (Gong et al., AAAI 2021) as its RoI layer."""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from mmtrack.models.roi_heads.roi_extractors import TemporalRoIAlign
from torch import Tensor

from mmrdn.models.roi_heads.rdn_roi_head import RDNRoIHead
from mmrdn.models.roi_heads.roi_features import roi_features
from mmrdn.registry import MODELS
from mmrdn.utils.checks import check_num_frames


@MODELS.register_module()
class TemporalRDNRoIHead(RDNRoIHead):
    """RDN's RoI head whose RoI features see feature maps of other frames.

    Needs a ``mmtrack.TemporalRoIAlign`` as ``bbox_roi_extractor``, and a
    :class:`TemporalRDN` around it, which knows the other frames.

    Args:
        num_maps (int): Frames before a frame whose maps it sees in testing.
        **kwargs: Of :class:`RDNRoIHead`.
    """

    # For each frame of ``x`` the maps (R, c, h, w) that it sees.
    _seen: Sequence[Tensor] | None = None

    def __init__(self, num_maps: int = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        check_num_frames('num_maps', num_maps, 1)
        self.num_maps = num_maps
        if not isinstance(self.bbox_roi_extractor, TemporalRoIAlign):
            raise ValueError(
                f'bbox_roi_extractor must be a mmtrack.TemporalRoIAlign, got a {type(self.bbox_roi_extractor).__name__}'
            )

    def compared_level(self, x: tuple[Tensor]) -> Tensor:
        """The maps (B, c, h, w) that mmtrack compares: the last it gets."""
        return x[self.bbox_roi_extractor.num_inputs - 1]

    @contextlib.contextmanager
    def seeing(self, maps: Sequence[Tensor]) -> Iterator[None]:
        """Extract features, in the context, that see maps of other frames.

        Args:
            maps (Sequence[Tensor]): For each frame, in order, (R, c, h, w) of
                :meth:`compared_level`, R one or more.
        """
        self._seen = maps
        try:
            yield
        finally:
            self._seen = None

    def _roi_features(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """(n, c, h, w) features of rois (n, 5), ordered by frame."""
        if self._seen is None:
            raise ValueError('TemporalRDNRoIHead needs a TemporalRDN around it, which knows the other frames')
        parts = []
        for i in range(len(x[0])):
            own = tuple(level[i : i + 1] for level in x)
            mine = rois[rois[:, 0] == i] * rois.new_tensor([0, 1, 1, 1, 1])
            # mmtrack's layer cannot compare maps with no RoI at all.
            sees = dict(ref_feats=[self._seen[i].float()]) if len(mine) else {}
            parts.append(roi_features(self.bbox_roi_extractor, own, mine, **sees))
        return torch.cat(parts)
