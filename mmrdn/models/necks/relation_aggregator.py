# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation distillation: paper section 3.3, Eq. 3-7.

:func:`distill` is all of it. It takes the supports as a :class:`Pool`: plain tensors in training
(:class:`PlainPool`), cached supports in testing (:class:`mmrdn.models.RelationMemory`).

Legend: N key proposals (the paper's R^r), M supports (the pool, R^s), A advanced supports (R^sa), C
channels.

Deviations from the paper, off by default: ``advanced_transform=True`` puts one fc + ReLU behind Eq.
6, as public re-implementations do.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn as nn
from mmengine.model import BaseModule, ModuleList
from torch import Tensor

from mmrdn.registry import MODELS


class Supports(Protocol):
    """Supports that relation modules look at."""

    def prepare(self, relations: Any, queries: Any) -> list[Callable]:
        """Return Eq. 1-2 of each module for a block of queries and these supports.

        Each is ``relate(feats, return_weights=False)``; it takes features (N, C) and returns
        features (N, C) and mean attention weights (N, M) or None.
        """


class Pool(Supports, Protocol):
    """The supports of a window, some of them advanced."""

    def query_blocks(self, boxes: Tensor) -> Iterable[tuple[slice, Any]]:
        """Split queries with boxes (N, 4) into blocks: their rows, and their boxes as the pool
        wants them."""

    def select_advanced(self) -> Any:
        """Return the rows of the advanced supports, R^sa."""

    def refine(self, relation: Any, inds: Any) -> Tensor:
        """Relate advanced supports to the whole pool: features (A, C)."""

    def replace(self, inds: Any, feats: Tensor, relation: Any) -> Supports:
        """Return the advanced supports with new features (A, C), for one module."""


class PlainPool:
    """A pool of plain tensors: differentiable, and for any relation module.

    Args:
        feats (Tensor): (M, C) features.
        boxes (Tensor): (M, 4) boxes, xyxy in pixels.
        advanced_inds (Tensor, optional): (A,) indices of the advanced supports; all if not given.
    """

    def __init__(self, feats: Tensor, boxes: Tensor, advanced_inds: Tensor | None = None) -> None:
        self.feats = feats
        self.boxes = boxes
        self.advanced_inds = slice(None) if advanced_inds is None else advanced_inds

    def query_blocks(self, boxes: Tensor) -> list[tuple[slice, Tensor]]:
        """Return all queries in one block."""
        return [(slice(None), boxes)]

    def prepare(self, relations: Sequence[nn.Module], queries: Tensor) -> list[Callable]:
        """Return the modules' forward passes."""
        return [partial(self._relate, relation, queries) for relation in relations]

    def _relate(
        self, relation: nn.Module, boxes: Tensor, feats: Tensor, return_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        if return_weights:
            return relation(feats, boxes, self.feats, self.boxes, return_weights=True)
        return relation(feats, boxes, self.feats, self.boxes), None

    def select_advanced(self) -> Tensor | slice:
        """Return the rows of the advanced supports."""
        return self.advanced_inds

    def refine(self, relation: nn.Module, inds: Tensor | slice) -> Tensor:
        """Relate advanced supports to the whole pool: features (A, C)."""
        return relation(self.feats[inds], self.boxes[inds], self.feats, self.boxes)

    def replace(self, inds: Tensor | slice, feats: Tensor, relation: nn.Module) -> 'PlainPool':
        """Return the advanced supports with new features (A, C)."""
        return PlainPool(feats, self.boxes[inds])


def distill(
    aggregator: 'RelationAggregator', feats: Tensor, boxes: Tensor, pool: Pool, return_weights: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Distill the relations of a pool into key proposals: Eq. 3-7.

    A query does not depend on other queries, so a block of them passes all modules before the next.

    Args:
        aggregator (RelationAggregator): The relation modules.
        feats (Tensor): (N, C) features of the key proposals, R^r.
        boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
        pool (Pool): M supports, R^s.
        return_weights (bool): Whether to return the mean attention weights too.

    Returns:
        Tensor or tuple[Tensor, Tensor]: (N, C) features R^r2 (R^r1 without the advanced stage), and
        (N, M) mean attention weights (omega-bar, section 3.4) of the last module of the basic
        stage.
    """
    if return_weights and not aggregator.num_basic:
        raise ValueError('return_weights needs num_basic >= 1: relation weights are those of the last basic module')
    if aggregator.advanced:
        inds = pool.select_advanced()  # R^sa
        refined = pool.refine(aggregator.support_relation, inds)  # Eq. 6: R^a
        if aggregator.advanced_transform:
            refined = aggregator.relu(aggregator.support_transform(refined))
        advanced = pool.replace(inds, refined, aggregator.reference_relation)
    outs, weights = [], []
    for rows, queries in pool.query_blocks(boxes):
        x, mean_weights = feats[rows], None
        for k, relate in enumerate(pool.prepare(aggregator.basic, queries)):  # Eq. 3-4: R^r1
            if k > 0:
                x = aggregator.relu(aggregator.basic_transforms[k - 1](x))  # h
            x, mean_weights = relate(x, return_weights and k == aggregator.num_basic - 1)
        if aggregator.advanced:
            (relate,) = advanced.prepare([aggregator.reference_relation], queries)
            x, _ = relate(x)  # Eq. 5, 7: R^r2
        outs.append(x)
        weights.append(mean_weights)
    return (torch.cat(outs), torch.cat(weights)) if return_weights else torch.cat(outs)


@MODELS.register_module()
class RelationAggregator(BaseModule):
    """Basic and advanced stage of RDN.

    Args:
        in_channels (int): C.
        num_heads (int): G, relation features of each module (the paper's M).
        num_basic (int): N_b, relation modules of the basic stage. With 0 and ``advanced=False``
            features pass unchanged (Table 5, N_b = 0).
        advanced (bool): Whether there is an advanced stage.
        advanced_transform (bool): fc + ReLU behind Eq. 6.
        relation (dict, optional): Config of the relation module; by default an
            :class:`ObjectRelationModule`. ``embed_dims`` and ``num_heads`` are filled in.
        pixel_offset (float): ``pixel_offset`` of the default relation module, in pixels.
        init_cfg (dict, optional): Initialization; by default the fcs are initialized as mmdet's
            shared fcs are, relation modules as in :class:`ObjectRelationModule`.
    """

    def __init__(
        self,
        in_channels: int = 1024,
        num_heads: int = 16,
        num_basic: int = 2,
        advanced: bool = True,
        advanced_transform: bool = False,
        relation: dict | None = None,
        pixel_offset: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        if num_basic < 0:
            raise ValueError(f'num_basic must be 0 or more, got {num_basic}')
        if advanced_transform and not advanced:
            raise ValueError('advanced_transform=True needs advanced=True')
        super().__init__(init_cfg)
        if init_cfg is None:
            fcs = ['basic_transforms'] if num_basic > 1 else []
            fcs += ['support_transform'] if advanced_transform else []
            if fcs:
                override = [dict(name=name) for name in fcs]
                self.init_cfg = [dict(type='Xavier', distribution='uniform', override=override)]
        if relation is None:
            relation = dict(type='mmrdn.ObjectRelationModule', pixel_offset=pixel_offset)
        relation = dict(relation, embed_dims=in_channels, num_heads=num_heads)
        self.in_channels = in_channels
        self.num_basic = num_basic
        self.advanced = advanced
        self.advanced_transform = advanced_transform
        # mmengine's list: torch's would hide the modules from init_weights.
        self.basic = ModuleList(MODELS.build(relation) for _ in range(num_basic))
        self.basic_transforms = nn.ModuleList(nn.Linear(in_channels, in_channels) for _ in range(num_basic - 1))
        self.relu = nn.ReLU()
        if advanced:
            self.support_relation = MODELS.build(relation)
            if advanced_transform:
                self.support_transform = nn.Linear(in_channels, in_channels)
            self.reference_relation = MODELS.build(relation)

    def forward(
        self,
        feats: Tensor,
        boxes: Tensor,
        support_feats: Tensor,
        support_boxes: Tensor,
        advanced_inds: Tensor | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """:func:`distill` of a pool of plain tensors.

        Args:
            feats (Tensor): (N, C) features of the key proposals.
            boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
            support_feats (Tensor): (M, C) features of the pool.
            support_boxes (Tensor): (M, 4) their boxes.
            advanced_inds (Tensor, optional): (A,) indices into the pool of the advanced supports;
                the whole pool if not given.
            return_weights (bool): Whether to return the mean attention weights too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: (N, C) features, and (N, M) mean attention weights.
        """
        return distill(self, feats, boxes, PlainPool(support_feats, support_boxes, advanced_inds), return_weights)

    @property
    def pool_relations(self) -> list[Any]:
        """list[nn.Module]: The B relation modules that look at the whole pool: Eq. 3-4, Eq. 6."""
        return [*self.basic, *([self.support_relation] if self.advanced else [])]

    def modules_in_order(self) -> list[nn.Module]:
        """Return the relation modules: Eq. 3-4, Eq. 6, Eq. 7."""
        return [*self.pool_relations, *([self.reference_relation] if self.advanced else [])]

    def project(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        """Compute keys and values (B, G, M, d) of supports (M, C), for each of :attr:`pool_relations`."""
        keys, values = zip(*(relation.project(feats) for relation in self.pool_relations))
        return torch.stack(keys), torch.stack(values)

    @property
    def caches_supports(self) -> bool:
        """bool: Whether there are modules, and all can be given supports that are kept."""
        modules = self.modules_in_order()
        return bool(modules) and all(getattr(module, 'caches_supports', False) for module in modules)
