# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation of the object relation module: Eq. 1-2, paper section 3.2.

The softmax over supports of ``log geometry + appearance`` is written as the quotient of ``sum_j
geometry_j exp(appearance_j - top) value_j`` and ``sum_j geometry_j exp(appearance_j - top)``: no
logarithm is needed, and sums over parts of the supports, each with its own ``top``, can be put
together. Geometry is at least 1e-6 and so cannot make the quotient lose digits.

Legend: N queries, M supports, C channels, G heads (the paper's M relation features), d = C / G
channels a head.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


def split_heads(feats: Tensor, num_heads: int) -> Tensor:
    """(n, C) -> (G, n, d): head m owns channels m*d .. (m+1)*d - 1."""
    return feats.unflatten(-1, (num_heads, -1)).transpose(0, 1)  # (G, n, d)


def merge_heads(feats: Tensor) -> Tensor:
    """(G, n, d) -> (n, C), the inverse of :func:`split_heads`."""
    return feats.transpose(0, 1).flatten(1)  # (n, C)


class RelationSum(NamedTuple):
    """Sums over some of the supports, before the division."""

    values: Tensor  # (G, N, d), numerator
    total: Tensor  # (G, N, 1), denominator
    top: Tensor  # (G, N, 1), what was taken from the appearance


def relation_sum(query: Tensor, key: Tensor, value: Tensor, geometry: Tensor) -> tuple[RelationSum, Tensor]:
    """Sum the values of supports, each by its weight.

    Args:
        query (Tensor): (G, N, d), projected and divided by sqrt(d).
        key (Tensor): (G, M, d), projected support features.
        value (Tensor): (G, M, d), projected support features.
        geometry (Tensor): (G, N, M), positive geometry weights. Their dtype, at least fp32, is the
            one of the sums.

    Returns:
        tuple[RelationSum, Tensor]: The sums, and the weights before the
        division (G, N, M).
    """
    appearance = (query @ key.transpose(1, 2)).to(geometry.dtype)  # (G, N, M)
    top = appearance.detach().amax(dim=-1, keepdim=True)  # (G, N, 1)
    weights = appearance.sub_(top).exp_() * geometry  # (G, N, M)
    values = (weights.to(value.dtype) @ value).to(geometry.dtype)  # (G, N, d)
    return RelationSum(values, weights.sum(-1, keepdim=True), top), weights


def add_sums(first: RelationSum, second: RelationSum) -> RelationSum:
    """The sums over the supports of both."""
    top = torch.maximum(first.top, second.top)
    scale, other = (first.top - top).exp(), (second.top - top).exp()
    return RelationSum(first.values * scale + second.values * other, first.total * scale + second.total * other, top)


def tiled_relation(
    query: Tensor, key: Tensor, value: Tensor, geometry: Sequence[Tensor], return_weights: bool = False
) -> tuple[RelationSum, Tensor | None]:
    """:func:`relation_sum`, a tile of supports at a time.

    Args:
        query (Tensor): (G, N, d), projected and divided by sqrt(d).
        key (Tensor): (G, M, d), of one support or more.
        value (Tensor): (G, M, d).
        geometry (Sequence[Tensor]): (G, N, m) of consecutive tiles of supports, M in all.
        return_weights (bool): Whether to return omega-bar too.

    Returns:
        tuple[RelationSum, Tensor or None]: The sums, and the relation weights
        averaged over heads (N, M).
    """
    widths = [tile.shape[-1] for tile in geometry]
    sums, parts = None, []
    for k, v, tile in zip(key.split(widths, 1), value.split(widths, 1), geometry):
        part, weights = relation_sum(query, k, v, tile)
        sums = part if sums is None else add_sums(sums, part)
        if return_weights:
            parts.append((weights, part.top))
    if not return_weights:
        return sums, None
    return sums, torch.cat(
        [(weights * ((top - sums.top).exp() / sums.total)).mean(0) for weights, top in parts], -1
    )  # (N, M)
