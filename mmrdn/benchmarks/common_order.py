# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation in the order of work that is common in public RDN code.

The yardstick of ``tools/analysis_tools/benchmark.py``, plain torch, used nowhere else: for each
module and frame the encoding of every pair of boxes is computed and projected, keys are projected
anew for the whole pool, weights multiply the untransformed support features for each head, and the
result is projected for each head by a grouped 1x1 convolution. Same numbers as
:class:`mmrdn.models.RelationAggregator`.

Legend: N queries, M supports, C channels, G heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrdn.models import ObjectRelationModule, RelationAggregator
from mmrdn.models.layers import pairwise_geometry_encoding


def common_relation(
    module: ObjectRelationModule, feats: Tensor, boxes: Tensor, support_feats: Tensor, support_boxes: Tensor
) -> Tensor:
    """Eq. 1-2 of one module, (N, C).

    Args:
        module (ObjectRelationModule): Whose parameters are used.
        feats (Tensor): (N, C).
        boxes (Tensor): (N, 4).
        support_feats (Tensor): (M, C).
        support_boxes (Tensor): (M, 4).
    """
    heads, num, num_supports = module.num_heads, len(feats), len(support_feats)
    encoding = pairwise_geometry_encoding(
        boxes, support_boxes, module.geometry_dims, module.wave_length, module.pixel_offset
    )  # (N, M, D)
    geometry = F.conv2d(
        encoding.permute(2, 0, 1)[None], module.geometry_proj.weight[:, :, None, None], module.geometry_proj.bias
    )[0].clamp(min=1e-6)  # (G, N, M)
    query = module.query_proj(feats).view(num, heads, -1).transpose(0, 1)
    key = module.key_proj(support_feats).view(num_supports, heads, -1)
    appearance = query @ key.permute(1, 2, 0) / query.shape[-1] ** 0.5
    weights = (geometry.log() + appearance).softmax(-1)  # (G, N, M)
    weighted = weights.reshape(-1, num_supports) @ support_feats  # (G * N, C)
    weighted = weighted.view(heads, num, -1).transpose(0, 1)  # (N, G, C)
    relation = F.conv2d(
        weighted.reshape(num, -1, 1, 1),
        module.value_proj.weight[:, :, None, None],
        module.value_proj.bias,
        groups=heads,
    )
    return feats + relation.flatten(1)  # (N, C)


def common_order(
    aggregator: RelationAggregator,
    feats: Tensor,
    boxes: Tensor,
    support_feats: Tensor,
    support_boxes: Tensor,
    advanced_inds: Tensor | None = None,
) -> Tensor:
    """Eq. 3-7, as ``RelationAggregator.forward``, (N, C).

    Args:
        aggregator (RelationAggregator): Whose parameters are used.
        feats (Tensor): (N, C) features of the reference proposals.
        boxes (Tensor): (N, 4) their boxes.
        support_feats (Tensor): (M, C) features of the pool.
        support_boxes (Tensor): (M, 4) their boxes.
        advanced_inds (Tensor, optional): (A,) advanced supports; all if None.
    """
    pool = (support_feats, support_boxes)
    for k, module in enumerate(aggregator.basic):
        if k > 0:
            feats = torch.relu(aggregator.basic_transforms[k - 1](feats))
        feats = common_relation(module, feats, boxes, *pool)
    if not aggregator.advanced:
        return feats
    advanced = pool
    if advanced_inds is not None:
        advanced = (support_feats[advanced_inds], support_boxes[advanced_inds])
    refined = common_relation(aggregator.support_relation, *advanced, *pool)
    if aggregator.advanced_transform:
        refined = aggregator.support_transform(refined)
    return common_relation(aggregator.reference_relation, feats, boxes, refined, advanced[1])
