# Copyright (c) mmrdn contributors. All rights reserved.
"""Supports as object relation modules see them: the order of work behind Eq. 1-2.

Keys, values and box terms of a support are the same for all queries; geometry weights are the same
kind of work for all modules that look at the same pairs of boxes. Work is done in tiles: a block of
queries passes all modules before the next begins, and looks at a part of the supports at a time.

Legend: N queries, M supports, C channels, G heads, d = C / G channels a head, B modules.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn as nn
from torch import Tensor

from mmrdn.models.layers import BoxTerms, geometry_tiles


def tile_shape(num_supports: int, device: torch.device) -> tuple[int, int]:
    """Return the numbers of queries and of supports that are worked on at once.

    On a CPU a tile stays in the caches (measured, see docs/benchmarks.md), on an accelerator it is
    as large as memory allows without notice.

    Args:
        num_supports (int): M.
        device (torch.device): The device that does the work.
    """
    pairs, columns = (30000, 480) if device.type == 'cpu' else (1 << 20, 8192)
    columns = max(1, min(num_supports, columns))
    return pairs // columns, columns


def geometry_layer(relations: Sequence[nn.Module], queries: BoxTerms) -> tuple[Tensor, Tensor]:
    """Return weight (B * G, D) and bias (B * G,) of the geometry layers of B modules, in the dtype of terms."""
    layers = [relation.geometry_proj for relation in relations]
    weight, bias = torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
    return weight.to(queries.waves.dtype), bias.to(queries.waves.dtype)


@dataclass(frozen=True)
class ProjectedSupports:
    """M supports, projected for modules of one geometry.

    Attributes:
        projected (dict[ObjectRelationModule, tuple[Tensor, Tensor]]): Keys and values (G, M, d) for
            each module.
        terms (BoxTerms): Geometry terms of the M boxes.
    """

    projected: dict[nn.Module, tuple[Tensor, Tensor]]
    terms: BoxTerms

    def query_blocks(self, boxes: Tensor) -> Iterator[tuple[slice, BoxTerms]]:
        """Split queries into blocks.

        Args:
            boxes (Tensor): (N, 4) boxes of the queries, xyxy in pixels.

        Yields:
            tuple[slice, BoxTerms]: The rows of a block, and the terms of its boxes.
        """
        queries = next(iter(self.projected)).box_terms(boxes)
        num, _ = tile_shape(len(self.terms), boxes.device)
        for start in range(0, max(1, len(boxes)), num):
            rows = slice(start, start + num)
            yield rows, queries.rows(rows)

    def geometry(self, relations: Sequence[nn.Module], queries: BoxTerms) -> list[Tensor]:
        """Compute the geometry weights of several modules for the same pairs of boxes.

        Args:
            relations (Sequence[ObjectRelationModule]): B modules of one geometry.
            queries (BoxTerms): Terms of N boxes.

        Returns:
            list[Tensor]: For each tile of supports (B, G, N, m), in fp32 or better.
        """
        _, columns = tile_shape(len(self.terms), queries.center.device)
        with torch.autocast(queries.center.device.type, enabled=False):
            factors = relations[0].angle_factors(queries.waves.dtype)
            tiles = geometry_tiles(queries, self.terms, *geometry_layer(relations, queries), factors, columns)
        return [tile.unflatten(0, (len(relations), -1)) for tile in tiles]

    def prepare(self, relations: Sequence[nn.Module], queries: BoxTerms) -> list[Callable]:
        """Prepare modules for a block of queries: one encoding of the boxes serves them all.

        Args:
            relations (Sequence[ObjectRelationModule]): Modules that the supports are projected for.
            queries (BoxTerms): Terms of the boxes of N queries.

        Returns:
            list[Callable]: ``relate(feats, return_weights=False)`` of each module, Eq. 1-2, with the
            result of :meth:`ObjectRelationModule.relate`.
        """
        tiles = self.geometry(relations, queries) if relations else []
        return [
            partial(relation.relate, *self.projected[relation], [tile[k] for tile in tiles])
            for k, relation in enumerate(relations)
        ]
