# Copyright (c) mmrdn contributors. All rights reserved.
"""Object relation module: paper section 3.2, Eq. 1-2; Hu et al., CVPR 2018.

Legend: N queries, M supports, C channels, G heads, D geometry dimensions.

Deviations from the paper: none by default. ``pixel_offset=1`` measures boxes
as maskrcnn-benchmark weights expect it.
"""
from typing import Optional, Tuple, Union

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmrdn.registry import MODELS
from ..layers import (merge_heads, pairwise_geometry_encoding,
                      relation_weights, split_heads)


@MODELS.register_module()
class ObjectRelationModule(BaseModule):
    """Augment query proposals with relation features over supports.

    ``f_rm(i) = f_i + concat_m(sum_j omega_ij^m (W_L^m f_j)) + bias``

    Args:
        embed_dims (int): C, a multiple of ``num_heads``.
        num_heads (int): G, the number of relation features.
        geometry_dims (int): D, a multiple of 8.
        wave_length (float): Longest wave length of the geometry encoding.
        pixel_offset (float): Added to ``x2 - x1`` for the width, in pixels.
        init_cfg (dict, optional): Initialization. Normal with std 0.01 if not
            given, as Hu et al. do.
    """

    def __init__(self,
                 embed_dims: int = 1024,
                 num_heads: int = 16,
                 geometry_dims: int = 64,
                 wave_length: float = 1000.0,
                 pixel_offset: float = 0.0,
                 init_cfg: Optional[dict] = None) -> None:
        if num_heads < 1 or embed_dims % num_heads:
            raise ValueError('embed_dims must be a multiple of num_heads, got '
                             f'{embed_dims} and {num_heads}')
        if geometry_dims < 8 or geometry_dims % 8:
            raise ValueError('geometry_dims must be a multiple of 8, got '
                             f'{geometry_dims}')
        super().__init__(
            init_cfg or dict(type='Normal', layer='Linear', std=0.01))
        self.embed_dims = embed_dims
        self.num_heads = num_heads
        self.geometry_dims = geometry_dims
        self.wave_length = wave_length
        self.pixel_offset = pixel_offset
        self.query_proj = nn.Linear(embed_dims, embed_dims)
        self.key_proj = nn.Linear(embed_dims, embed_dims)
        self.value_proj = nn.Linear(embed_dims, embed_dims)
        self.geometry_proj = nn.Linear(geometry_dims, num_heads)

    def geometry_weights(self, boxes: Tensor, support_boxes: Tensor) -> Tensor:
        """``max(W_G E(g_ij), 1e-6)`` for each head, in fp32 or better.

        Args:
            boxes (Tensor): (N, 4) xyxy in pixels.
            support_boxes (Tensor): (M, 4) xyxy in pixels.

        Returns:
            Tensor: (G, N, M).
        """
        weight, bias = self.geometry_proj.weight, self.geometry_proj.bias
        dtype = torch.promote_types(weight.dtype, torch.float32)
        with torch.autocast(boxes.device.type, enabled=False):
            encoding = pairwise_geometry_encoding(
                boxes.to(dtype), support_boxes.to(dtype), self.geometry_dims,
                self.wave_length, self.pixel_offset)  # (N, M, D)
            geometry = F.linear(encoding, weight.to(dtype), bias.to(dtype))
            return geometry.permute(2, 0, 1).clamp(min=1e-6)  # (G, N, M)

    def forward(
            self,
            feats: Tensor,
            boxes: Tensor,
            support_feats: Tensor,
            support_boxes: Tensor,
            return_weights: bool = False
    ) -> Union[Tensor, Tuple[Tensor, Tensor]]:
        """Relate queries to supports.

        Args:
            feats (Tensor): (N, C) query features.
            boxes (Tensor): (N, 4) query boxes, xyxy in pixels.
            support_feats (Tensor): (M, C); with M = 0 there is nothing to add.
            support_boxes (Tensor): (M, 4).
            return_weights (bool): Whether to return omega-bar too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: (N, C) augmented features, and
            (N, M) relation weights averaged over heads (paper section 3.4).
        """
        self._check(feats, boxes, 'feats', 'boxes')
        self._check(support_feats, support_boxes, 'support_feats',
                    'support_boxes')
        query = split_heads(self.query_proj(feats), self.num_heads)
        key = split_heads(self.key_proj(support_feats), self.num_heads)
        value = split_heads(self.value_proj(support_feats), self.num_heads)
        weights = relation_weights(query, key,
                                   self.geometry_weights(boxes, support_boxes))
        # The rows of omega sum to one: the value bias is added exactly once.
        relation = weights.to(value.dtype) @ value  # (G, N, C / G)
        out = feats + merge_heads(relation)  # (N, C)
        return (out, weights.mean(dim=0)) if return_weights else out

    def _check(self, feats: Tensor, boxes: Tensor, name: str,
               box_name: str) -> None:
        """Refuse shapes that would broadcast into nonsense."""
        if feats.ndim != 2 or feats.shape[1] != self.embed_dims:
            raise ValueError(f'{name} must be (n, {self.embed_dims}), got '
                             f'{tuple(feats.shape)}')
        if boxes.shape != (len(feats), 4):
            raise ValueError(f'{box_name} must be ({len(feats)}, 4), got '
                             f'{tuple(boxes.shape)}')
