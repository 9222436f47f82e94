# Copyright (c) mmrdn contributors. All rights reserved.
"""mmtrack's ``SelsaAggregator`` (Wu et al., ICCV 2019) as relation module of RDN.

Appearance only: boxes are not read.

Legend: N queries, M supports, C channels, G attention blocks.
"""

from mmengine.model import BaseModule
from torch import Tensor

from mmrdn.models.layers import split_heads
from mmrdn.registry import MODELS


@MODELS.register_module()
class SelsaRelation(BaseModule):
    """A relation module for :class:`RelationAggregator`: ``f(i) + SelsaAggregator(f, supports)(i)``.

    Args:
        embed_dims (int): C, a multiple of ``num_heads``.
        num_heads (int): G.
        init_cfg (dict, optional): Initialization; mmtrack's if not given.
    """

    def __init__(self, embed_dims: int = 1024, num_heads: int = 16, init_cfg: dict | None = None) -> None:
        if num_heads < 1 or embed_dims % num_heads:
            raise ValueError(f'embed_dims must be a multiple of num_heads, got {embed_dims} and {num_heads}')
        super().__init__(init_cfg)
        self.aggregator = MODELS.build(
            dict(type='mmtrack.SelsaAggregator', in_channels=embed_dims, num_attention_blocks=num_heads)
        )

    def forward(
        self, feats: Tensor, boxes: Tensor, support_feats: Tensor, support_boxes: Tensor, return_weights: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Relate queries to supports: see :meth:`ObjectRelationModule.forward`.

        Boxes are not read; attention weights (N, M) are averaged over blocks.
        """
        out = feats + self.aggregator(feats, support_feats) if len(support_feats) else feats
        return (out, self._weights(feats, support_feats)) if return_weights else out

    def _weights(self, feats: Tensor, support_feats: Tensor) -> Tensor:
        """Compute once more the weights (N, M) that mmtrack computes and does not give away."""
        query, key = (
            split_heads(embedded, self.aggregator.num_attention_blocks)
            for embedded in (self.aggregator.fc_embed(feats), self.aggregator.ref_fc_embed(support_feats))
        )
        appearance = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
        return appearance.softmax(-1).mean(0)  # (G, N, M) -> (N, M)
