# Copyright (c) mmrdn contributors. All rights reserved.
"""mmdet's RoI extractor on the operators of mmrdn.

Legend: n RoIs, c channels, h x w output bins.
"""

import torch
import torch.nn as nn
from mmcv.ops import RoIAlign
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor

from mmrdn.ops import roi_align


class ExportableRoIExtractor(nn.Module):
    """A ``SingleRoIExtractor`` of RoIAlign layers, made of operators that can be exported.

    Args:
        extractor (SingleRoIExtractor): mmdet's.
    """

    def __init__(self, extractor: SingleRoIExtractor) -> None:
        super().__init__()
        self.extractor = extractor

    @staticmethod
    def refusal(extractor: nn.Module) -> str | None:
        """Return why an extractor cannot be exported, None if it can."""
        if type(extractor) is not SingleRoIExtractor:
            return f'RoI extractor {type(extractor).__name__}'
        for layer in extractor.roi_layers:
            if not isinstance(layer, RoIAlign) or layer.pool_mode != 'avg':
                return f'RoI layer {type(layer).__name__} other than RoIAlign of averages'
        return None

    def forward(self, x: tuple[Tensor, ...], rois: Tensor) -> Tensor:
        """Return features (n, c, h, w) of rois (n, 5) on maps (B, c, H, W)."""
        layers, maps = self.extractor.roi_layers, x[: self.extractor.num_inputs]
        if len(maps) == 1:
            return _align(layers[0], maps[0], rois)
        levels = self.extractor.map_roi_levels(rois, len(maps))  # (n,)
        inds = [(levels == i).nonzero()[:, 0] for i in range(len(maps))]
        parts = [_align(layer, level, rois[rows]) for layer, level, rows in zip(layers, maps, inds)]
        rows = torch.cat(inds)
        # Of each RoI, its row in the parts: as many as there are RoIs, which the lengths of parts do not tell.
        order = torch.zeros_like(levels).scatter(0, rows, torch.arange(rows.shape[0], device=rows.device))
        return torch.cat(parts)[order]


def _align(layer: RoIAlign, level: Tensor, rois: Tensor) -> Tensor:
    """Run a RoI layer on one map."""
    settings = layer.spatial_scale, layer.sampling_ratio, layer.aligned
    return roi_align(level.float(), rois, layer.output_size, *settings)
