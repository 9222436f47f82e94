# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation of the object relation module: Eq. 1-2, paper section 3.2.

The relation weight is the softmax over supports of ``log geometry + appearance``. Over parts of the
supports it is written as the quotient of ``geometry_j exp(appearance_j - row max)`` and the
denominator, the sum of these over j: no logarithm of a pair is needed. Geometry is at least 1e-6
and so cannot make the quotient lose digits. The softmax over all supports weighs each part by the
softmax of the parts' log denominators (an online softmax).

Legend: N queries, M supports, P parts of them, C channels, G heads (the paper's M relation
features), d = C / G channels a head.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_LEAST = -1e4  # log denominator of a part without supports, within the range of fp16


def split_heads(feats: Tensor, num_heads: int) -> Tensor:
    """(n, C) -> (G, n, d): head m owns channels m*d .. (m+1)*d - 1."""
    return feats.unflatten(-1, (num_heads, -1)).transpose(0, 1)  # (G, n, d)


def merge_heads(feats: Tensor) -> Tensor:
    """(G, n, d) -> (n, C), the inverse of :func:`split_heads`."""
    return feats.transpose(0, 1).flatten(1)  # (n, C)


def attend(query: Tensor, key: Tensor, value: Tensor, geometry: Tensor) -> tuple[Tensor, Tensor]:
    """Average the values of supports, each by its relation weight.

    Args:
        query (Tensor): (G, N, d) queries, projected and divided by sqrt(d).
        key (Tensor): (G, M, d) keys.
        value (Tensor): (G, M, d) values.
        geometry (Tensor): (G, N, M) positive geometry weights, in fp32 or better.

    Returns:
        tuple[Tensor, Tensor]: The averages (G, N, d), and the relation weights (G, N, M).
    """
    weights = geometry.log().add_(query @ key.transpose(1, 2)).softmax(-1)  # (G, N, M)
    return weights.to(value.dtype) @ value, weights  # (G, N, d)


def attend_parts(
    query: Tensor, key: Tensor, value: Tensor, geometry: Sequence[Tensor], return_weights: bool = False
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """:func:`attend` to each of P consecutive parts of the supports, which stays in the caches.

    Args:
        query (Tensor): (G, N, d) queries, projected and divided by sqrt(d).
        key (Tensor): (G, M, d) keys.
        value (Tensor): (G, M, d) values.
        geometry (Sequence[Tensor]): Positive geometry weights (G, N, m) of each part, of one
            support or more, M columns in all. Their dtype is the one of the result.
        return_weights (bool): Whether to return the relation weights too.

    Returns:
        tuple[Tensor, Tensor, list[Tensor]]: The averages (G, N, P, d), the log denominators
        (G, N, P), and the relation weights (G, N, m) within each part.
    """
    widths = [part.shape[-1] for part in geometry]
    values, log_denominators, within = [], [], []
    for k, v, part in zip(key.split(widths, 1), value.split(widths, 1), geometry):
        appearance = (query @ k.transpose(1, 2)).to(part.dtype)  # (G, N, m)
        row_max = appearance.detach().amax(-1, keepdim=True)  # (G, N, 1)
        weights = appearance.sub_(row_max).exp_()
        weights = weights * part if weights.requires_grad else weights.mul_(part)  # (G, N, m)
        denominator = weights.sum(-1, keepdim=True)  # (G, N, 1)
        values.append((weights.to(v.dtype) @ v).to(part.dtype) / denominator)  # (G, N, d)
        log_denominators.append(row_max + denominator.log())
        if return_weights:
            within.append(weights / denominator)
    return torch.stack(values, 2), torch.cat(log_denominators, -1), within


def attend_frames(query: Tensor, key: Tensor, value: Tensor, geometry: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`attend_parts` for P parts of one length, with few operators, all of which export.

    Args:
        query (Tensor): (G, N, d) queries, projected and divided by sqrt(d).
        key (Tensor): (G, M, d) keys.
        value (Tensor): (G, M, d) values, 0 for supports that do not count.
        geometry (Tensor): (G, N, M) positive geometry weights, almost 0 for supports that do not count.
        valid (Tensor): (P, M / P) bool, the supports that count.

    Returns:
        tuple[Tensor, Tensor]: The averages (G, N, P, d), and the log denominators (G, N, P). Of a part
        without supports they are 0 and far below all others.
    """
    geometry = geometry.unflatten(-1, valid.shape)  # (G, N, P, K)
    appearance = (query @ key.transpose(1, 2)).to(geometry.dtype).unflatten(-1, valid.shape)
    row_max = appearance.amax(-1, keepdim=True)  # (G, N, P, 1)
    weights = (appearance - row_max).exp() * geometry
    some = valid.any(-1, keepdim=True)  # (P, 1)
    denominators = torch.where(some, weights.sum(-1, keepdim=True), 1.0)  # (G, N, P, 1)
    values = weights.to(value.dtype).transpose(1, 2) @ value.unflatten(1, valid.shape)  # (G, P, N, d)
    log_denominators = torch.where(some, row_max + denominators.log(), _LEAST)
    return values.to(geometry.dtype).transpose(1, 2) / denominators, log_denominators.squeeze(-1)


def merge_parts(values: Tensor, log_denominators: Tensor) -> tuple[Tensor, Tensor]:
    """Merge the results of parts of the supports.

    Args:
        values (Tensor): (..., P, d) averages over each part.
        log_denominators (Tensor): (..., P) of each part; -inf for one that does not count.

    Returns:
        tuple[Tensor, Tensor]: The averages over all parts (..., d), and the share that each part
        has in them (..., P).
    """
    shares = log_denominators.softmax(-1)  # (..., P)
    with torch.autocast(values.device.type, enabled=False):  # or rounded shares would not sum to one
        return (shares[..., None, :] @ values).squeeze(-2), shares  # (..., d)
