# Copyright (c) mmrdn contributors. All rights reserved.
"""The baseline of the relation benchmarks: Eq. 1-2 in the order of work of public RDN code.

Plain torch: the encoding of every pair of boxes is computed and projected, keys are projected for
the whole pool at every frame, weights multiply the untransformed support features for each head, and the
result is projected for each head by a grouped 1x1 convolution. Same numbers as
:class:`mmrdn.models.ObjectRelationModule`.

Legend: N queries, M supports, C channels, G heads, D geometry dimensions.
"""

import torch.nn.functional as F
from torch import Tensor

from mmrdn.models import ObjectRelationModule, RelationAggregator
from mmrdn.models.layers import pairwise_geometry_encoding


class BaselineRelation(ObjectRelationModule):
    """An object relation module that caches nothing and computes pair by pair."""

    caches_supports = False

    def forward(
        self, feats: Tensor, boxes: Tensor, support_feats: Tensor, support_boxes: Tensor, return_weights: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """See :meth:`ObjectRelationModule.forward`."""
        num, num_supports = len(feats), len(support_feats)
        encoding = pairwise_geometry_encoding(
            boxes, support_boxes, self.geometry_dims, self.wave_length, self.pixel_offset
        )  # (N, M, D)
        geometry = F.conv2d(
            encoding.permute(2, 0, 1)[None], self.geometry_proj.weight[:, :, None, None], self.geometry_proj.bias
        )[0].clamp(min=1e-6)  # (G, N, M)
        query = self.query_proj(feats).view(num, self.num_heads, -1).transpose(0, 1)  # (G, N, d)
        key = self.key_proj(support_feats).view(num_supports, self.num_heads, -1)  # (M, G, d)
        appearance = query @ key.permute(1, 2, 0) / query.shape[-1] ** 0.5  # (G, N, M)
        weights = (geometry.log() + appearance).softmax(-1)  # (G, N, M)
        weighted = weights.reshape(-1, num_supports) @ support_feats  # (G * N, C)
        weighted = weighted.view(self.num_heads, num, -1).transpose(0, 1)  # (N, G, C)
        relation = F.conv2d(
            weighted.reshape(num, -1, 1, 1),
            self.value_proj.weight[:, :, None, None],
            self.value_proj.bias,
            groups=self.num_heads,
        )
        out = feats + relation.flatten(1)  # (N, C)
        return (out, weights.mean(0)) if return_weights else out


def baseline_of(aggregator: RelationAggregator) -> RelationAggregator:
    """Return the aggregator of the same weights whose modules are :class:`BaselineRelation`."""
    module = aggregator.modules_in_order()[0]
    names = ('geometry_dims', 'wave_length', 'pixel_offset')
    baseline = RelationAggregator(
        aggregator.in_channels,
        module.num_heads,
        aggregator.num_basic,
        aggregator.advanced,
        aggregator.advanced_transform,
        relation=dict(type=BaselineRelation, **{name: getattr(module, name) for name in names}),
    )
    baseline.to(module.key_proj.weight).load_state_dict(aggregator.state_dict())
    return baseline
