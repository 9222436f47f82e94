# Copyright (c) mmrdn contributors. All rights reserved.
"""Object relation modules in a row: the order of work behind Eq. 1-4.

A query's way through the modules of a stage does not depend on other queries, so a chunk of queries
takes all of them before the next chunk begins, and the modules share what depends on boxes alone.

Legend: N queries, M supports, C channels, G heads, B modules.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from mmrdn.models.layers import BoxTerms, geometry_weights, size_queries

if TYPE_CHECKING:
    from mmrdn.models.necks.object_relation_module import ObjectRelationModule


class Supports(NamedTuple):
    """What a module needs of M supports, whatever the queries are."""

    key: Tensor  # (M, C)
    value: Tensor  # (M, C)
    terms: BoxTerms  # of M boxes


def tile_shape(num_supports: int, device: torch.device) -> tuple[int, int]:
    """Queries and supports that are worked on at once.

    On a CPU a tile stays in the caches (measured, see docs/benchmarks.md), on an accelerator it is
    as large as memory allows without notice.

    Args:
        num_supports (int): M.
        device (torch.device): Where.

    Returns:
        tuple[int, int]: Numbers of queries and of supports.
    """
    pairs, columns = (30000, 480) if device.type == 'cpu' else (1 << 20, 8192)
    columns = max(1, min(num_supports, columns))
    return pairs // columns, columns


def geometry_tiles(
    modules: Sequence['ObjectRelationModule'], queries: BoxTerms, supports: BoxTerms, columns: int
) -> Sequence[Tensor]:
    """Geometry weights of several modules for the same pairs of boxes.

    Args:
        modules (Sequence[ObjectRelationModule]): B modules of one geometry.
        queries (BoxTerms): Of N boxes.
        supports (BoxTerms): Of M boxes.
        columns (int): Supports of a tile.

    Returns:
        Sequence[Tensor]: For each tile (B, G, N, m), in fp32 or better.
    """
    first = modules[0]
    with torch.autocast(queries.center.device.type, enabled=False):
        weight = torch.cat([m.geometry_proj.weight for m in modules])
        bias = torch.cat([m.geometry_proj.bias for m in modules])
        weight, bias = (p.to(queries.waves.dtype) for p in (weight, bias))
        sizes = size_queries(queries, weight, bias)
        return [
            geometry_weights(queries, supports[i : i + columns], weight, sizes, first.wave_length).unflatten(
                0, (len(modules), -1)
            )
            for i in range(0, len(supports.center), columns)
        ]


def relate_in_turn(
    modules: Sequence['ObjectRelationModule'],
    supports: Sequence[Supports],
    feats: Tensor,
    terms: BoxTerms,
    return_weights: bool = False,
    transforms: Sequence[Callable[[Tensor], Tensor]] = (),
) -> tuple[Tensor, Tensor | None]:
    """Pass queries through one module after the other.

    Args:
        modules (Sequence[ObjectRelationModule]): B modules, one or more, all of one geometry.
        supports (Sequence[Supports]): The same M supports for each module.
        feats (Tensor): (N, C) features of the queries.
        terms (BoxTerms): Of their boxes.
        return_weights (bool): Whether to return omega-bar too.
        transforms (Sequence[callable]): Between modules: h of Eq. 4.

    Returns:
        tuple[Tensor, Tensor or None]: (N, C) features, and (N, M) relation
        weights of the last module averaged over heads.
    """
    rows, columns = tile_shape(len(supports[0].key), feats.device)
    outs, weights = [], []
    for i in range(0, max(1, len(feats)), rows):
        x, queries = feats[i : i + rows], terms[i : i + rows]
        tiles = geometry_tiles(modules, queries, supports[0].terms, columns)
        for k, module in enumerate(modules):
            if k > 0:
                x = transforms[k - 1](x)
            x, omega = module.relate(
                x, supports[k], [tile[k] for tile in tiles], return_weights and module is modules[-1]
            )
        outs.append(x)
        weights.append(omega)
    return torch.cat(outs), torch.cat(weights) if return_weights else None
