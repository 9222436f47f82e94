# Copyright (c) mmrdn contributors. All rights reserved.
"""Object relation module: paper section 3.2, Eq. 1-2; Hu et al., CVPR 2018.

Legend: N queries, M supports, C channels, G heads, D geometry dimensions.

Deviations from the paper: none by default. ``pixel_offset=1`` measures boxes as maskrcnn-benchmark
weights expect it.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from mmrdn.models.layers import (
    BoxTerms,
    angle_factors,
    attend,
    attend_parts,
    box_terms,
    merge_heads,
    merge_parts,
    split_heads,
)
from mmrdn.models.necks.projected_supports import ProjectedSupports
from mmrdn.registry import MODELS


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
        init_cfg (dict, optional): Initialization. Normal with std 0.01 if not given, as Hu et al.
            do.

    Attributes:
        caches_supports (bool): Whether keys, values and box terms of supports can be kept, and
            :meth:`relate` be given them.
    """

    caches_supports = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Cache no supports of a subclass that overrides ``forward``, unless it sets ``caches_supports``."""
        super().__init_subclass__(**kwargs)
        if 'forward' in vars(cls) and 'caches_supports' not in vars(cls):
            cls.caches_supports = False

    def __init__(
        self,
        embed_dims: int = 1024,
        num_heads: int = 16,
        geometry_dims: int = 64,
        wave_length: float = 1000.0,
        pixel_offset: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        if num_heads < 1 or embed_dims % num_heads:
            raise ValueError(f'embed_dims must be a multiple of num_heads, got {embed_dims} and {num_heads}')
        if geometry_dims < 8 or geometry_dims % 8:
            raise ValueError(f'geometry_dims must be a multiple of 8, got {geometry_dims}')
        super().__init__(init_cfg or dict(type='Normal', layer='Linear', std=0.01))
        self.embed_dims = embed_dims
        self.num_heads = num_heads
        self.geometry_dims = geometry_dims
        self.wave_length = wave_length
        self.pixel_offset = pixel_offset
        self.query_proj = nn.Linear(embed_dims, embed_dims)
        self.key_proj = nn.Linear(embed_dims, embed_dims)
        self.value_proj = nn.Linear(embed_dims, embed_dims)
        self.geometry_proj = nn.Linear(geometry_dims, num_heads)

    def angle_factors(self, dtype: torch.dtype) -> Tensor:
        """Return the factors (D / 8,) of angles in the geometry encoding."""
        like = torch.empty(0, dtype=dtype, device=self.geometry_proj.weight.device)
        return angle_factors(self.geometry_dims, self.wave_length, like)

    def box_terms(self, boxes: Tensor, factors: Tensor | None = None) -> BoxTerms:
        """Compute the geometry terms of boxes (n, 4), in fp32 or better.

        Args:
            boxes (Tensor): (n, 4) xyxy in pixels.
            factors (Tensor, optional): (D / 8,) :meth:`angle_factors`; in fp64 if not given.
        """
        dtype = torch.promote_types(self.geometry_proj.weight.dtype, torch.float32)
        factors = self.angle_factors(torch.float64) if factors is None else factors
        with torch.autocast(boxes.device.type, enabled=False):
            return box_terms(boxes.to(dtype), factors, self.pixel_offset)

    def project(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        """Compute keys and values (G, M, d) of support features (M, C)."""
        return split_heads(self.key_proj(feats), self.num_heads), split_heads(self.value_proj(feats), self.num_heads)

    def query(self, feats: Tensor) -> Tensor:
        """Compute queries (G, N, d), divided by sqrt(d), of features (N, C)."""
        query = split_heads(self.query_proj(feats), self.num_heads)
        return query / query.shape[-1] ** 0.5

    def augment(self, feats: Tensor, values: Tensor) -> Tensor:
        """Add relation features (G, N, d) to features (N, C): Eq. 2.

        The weights of a row sum to one: the value bias is added exactly once.
        """
        return feats + merge_heads(values).to(feats.dtype)

    def relate(
        self, key: Tensor, value: Tensor, geometry: Sequence[Tensor], feats: Tensor, return_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Relate queries to supports that are projected: Eq. 1-2.

        Args:
            key (Tensor): (G, M, d) keys.
            value (Tensor): (G, M, d) values.
            geometry (Sequence[Tensor]): Geometry weights (G, N, m) of consecutive tiles of
                supports, M columns in all.
            feats (Tensor): (N, C) query features.
            return_weights (bool): Whether to return the mean attention weights too.

        Returns:
            tuple[Tensor, Tensor or None]: (N, C) augmented features, and (N, M) mean
            attention weights.
        """
        if not geometry:  # no supports
            return feats, feats.new_zeros(len(feats), 0)
        query = self.query(feats)
        if len(geometry) == 1:
            values, weights = attend(query, key, value, geometry[0])
            return self.augment(feats, values), weights.mean(0) if return_weights else None
        values, log_denominators, within = attend_parts(query, key, value, geometry, return_weights)
        values, shares = merge_parts(values, log_denominators)
        weights = [(part * share).mean(0) for part, share in zip(within, shares.split(1, -1))]  # (N, m)
        return self.augment(feats, values), torch.cat(weights, -1) if return_weights else None

    def forward(
        self, feats: Tensor, boxes: Tensor, support_feats: Tensor, support_boxes: Tensor, return_weights: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Relate queries to supports.

        Args:
            feats (Tensor): (N, C) query features.
            boxes (Tensor): (N, 4) query boxes, xyxy in pixels.
            support_feats (Tensor): (M, C) support features; with M = 0 there is nothing to add.
            support_boxes (Tensor): (M, 4) support boxes, xyxy in pixels.
            return_weights (bool): Whether to return the mean attention weights too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: (N, C) augmented features, and (N, M) attention weights
            averaged over heads (omega-bar, paper section 3.4).
        """
        self.check(feats, boxes, 'feats', 'boxes')
        self.check(support_feats, support_boxes, 'support_feats', 'support_boxes')
        supports = ProjectedSupports({self: self.project(support_feats)}, self.box_terms(support_boxes))
        blocks = []
        for rows, queries in supports.query_blocks(boxes):
            (relate,) = supports.prepare([self], queries)
            blocks.append(relate(feats[rows], return_weights))
        outs, weights = zip(*blocks)
        return (torch.cat(outs), torch.cat(weights)) if return_weights else torch.cat(outs)

    def check(self, feats: Tensor, boxes: Tensor, name: str, box_name: str) -> None:
        """Refuse shapes that would broadcast into nonsense."""
        if feats.ndim != 2 or feats.shape[1] != self.embed_dims:
            raise ValueError(f'{name} must be (n, {self.embed_dims}), got {tuple(feats.shape)}')
        if boxes.shape != (len(feats), 4):
            raise ValueError(f'{box_name} must be ({len(feats)}, 4), got {tuple(boxes.shape)}')
