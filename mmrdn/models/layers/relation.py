# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation weights of the object relation module (paper section 3.2).

Legend: N queries, M supports, C channels, G heads (the paper's M relation
features), d = C / G channels a head.
"""
from torch import Tensor


def split_heads(feats: Tensor, num_heads: int) -> Tensor:
    """(n, C) -> (G, n, d): head m owns channels m*d .. (m+1)*d - 1."""
    return feats.unflatten(-1, (num_heads, -1)).transpose(0, 1)  # (G, n, d)


def merge_heads(feats: Tensor) -> Tensor:
    """(G, n, d) -> (n, C), the inverse of :func:`split_heads`."""
    return feats.transpose(0, 1).flatten(1)  # (n, C)


def relation_weights(query: Tensor, key: Tensor, geometry: Tensor) -> Tensor:
    """omega of Eq. 1: softmax over supports of log geometry + appearance.

    Args:
        query (Tensor): (G, N, d), projected query features.
        key (Tensor): (G, M, d), projected support features.
        geometry (Tensor): (G, N, M), positive geometry weights. Their dtype,
            at least fp32, is the one of the sum and the softmax.

    Returns:
        Tensor: (G, N, M), rows sum to one.
    """
    query = query / query.shape[-1]**0.5
    appearance = query @ key.transpose(1, 2)  # (G, N, M)
    logits = geometry.log() + appearance.to(geometry.dtype)
    return logits.softmax(dim=-1)  # (G, N, M)
