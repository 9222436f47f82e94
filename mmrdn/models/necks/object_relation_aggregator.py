# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN's object relation module in the place of mmtrack's ``SelsaAggregator``.

mmtrack gives aggregators features without boxes. With the same box for all pairs the geometry
weight of Eq. 2 is a constant of each head, which cancels in the softmax over supports: what is left
is the appearance weight.

Legend: N queries, M supports, C channels, G heads.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmrdn.models.layers import merge_heads
from mmrdn.models.necks.object_relation_module import ObjectRelationModule
from mmrdn.registry import MODELS


@MODELS.register_module()
class ObjectRelationAggregator(BaseModule):
    """The relation features of Eq. 1, by appearance only.

    For ``aggregator`` of ``mmtrack.SelsaBBoxHead``, which adds them to the features itself. Its
    :class:`ObjectRelationModule`, ``relation``, keeps the layer for geometry, frozen, so that it
    takes the weights of one in an RDN.

    Args:
        in_channels (int): C, a multiple of ``num_attention_blocks``.
        num_attention_blocks (int): G.
        init_cfg (dict, optional): Initialization config.
    """

    def __init__(self, in_channels: int, num_attention_blocks: int = 16, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.relation = ObjectRelationModule(in_channels, num_attention_blocks)
        self.relation.geometry_proj.requires_grad_(False)

    def forward(self, x: Tensor, ref_x: Tensor) -> Tensor:
        """Relate queries to supports.

        Args:
            x (Tensor): (N, C) features of the key proposals.
            ref_x (Tensor): (M, C) features of the supports, which mmtrack calls reference.

        Returns:
            Tensor: (N, C) features to be added to ``x``; zeros without supports.
        """
        if not len(ref_x):
            return torch.zeros_like(x)
        key, value = self.relation.project(ref_x)
        values = F.scaled_dot_product_attention(self.relation.query(x), key, value, scale=1.0)  # (G, N, d)
        return merge_heads(values).to(x.dtype)  # (N, C)
