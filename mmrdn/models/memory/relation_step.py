# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation of one frame with a memory of fixed shapes: paper section 3.3, Algorithm 1.

The numbers are those of :class:`mmrdn.models.RelationMemory`, in another order of work: every tensor
has the same shape at every frame, slots without a support are masked, and nothing asks the device
for a value. So it can be exported, compiled and captured as a CUDA graph, and takes few launches.
Eq. 6 is computed from scratch at every frame.

Legend: N key proposals, L frames at most, K supports of a frame at most, M = L * K slots, A advanced
slots, C channels, G heads, d = C / G channels a head, B modules that look at the pool.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from mmrdn.models.layers import BoxTerms, geometry_weights, sine_arguments
from mmrdn.models.necks import ObjectRelationModule, RelationAggregator
from mmrdn.models.necks.projected_supports import geometry_layer
from mmrdn.models.necks.relation_aggregator import distill
from mmrdn.models.task_modules.selective_support_sampler import SelectiveSupportSampler

State = dict[str, Tensor]

_FAR_BELOW = -1e4  # less than any geometry weight, and within the range of fp16


class RelationStep(nn.Module):
    """The relation of one frame with the memory as tensors in and out.

    The slots of a state stand for the frames ``t - T .. t + T``, the oldest first. A frame before the
    start or behind the end of a video is one without supports (``num`` 0), and so is a support that
    a frame lacks::

        state = step.initial_state()
        state = step.append(state, feats, boxes, scores, num)
        outs = step.relate(state, key_feats, key_boxes)

    Args:
        aggregator (RelationAggregator): The relation modules, all of them
            :class:`ObjectRelationModule`.
        sampler (SelectiveSupportSampler): The numbers of supports and advanced supports.
        max_frames (int): L, 2T + 1 in Algorithm 1.

    Raises:
        ValueError: There is no relation module or one of another kind, or ``max_frames`` is below 1.
    """

    shares: Tensor
    factors: Tensor
    scales: Tensor
    shifts: Tensor

    def __init__(self, aggregator: RelationAggregator, sampler: SelectiveSupportSampler, max_frames: int) -> None:
        super().__init__()
        if max_frames < 1:
            raise ValueError(f'max_frames must be 1 or more, got {max_frames}')
        if not aggregator.caches_supports:
            names = ', '.join(sorted({type(module).__name__ for module in aggregator.modules_in_order()})) or 'none'
            raise ValueError(f'RelationStep needs relation modules that are ObjectRelationModule, got {names}')
        self.aggregator = aggregator
        self.sampler = sampler
        self.max_frames = max_frames
        # Of how many groups of slots a share is advanced.
        self.num_groups = 1 if sampler.advanced_scope == 'pool' else max_frames
        # Advanced supports of 0 .. M supports.
        shares = [0, *(sampler.num_advanced(num) for num in range(1, max_frames * sampler.num_support + 1))]
        first = aggregator.pool_relations[0]
        device = first.geometry_proj.weight.device
        self.register_buffer('shares', torch.tensor(shares, device=device), persistent=False)
        exact = torch.promote_types(first.geometry_proj.weight.dtype, torch.float32)
        self.register_buffer('factors', first.angle_factors(exact), persistent=False)
        for name, part in zip(('scales', 'shifts'), sine_arguments(self.factors)):
            self.register_buffer(name, part, persistent=False)

    def initial_state(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> State:
        """Return the state before the first frame of a video.

        Args:
            device (torch.device, optional): That of the relation modules if not given.
            dtype (torch.dtype, optional): dtype of features, keys and values; that of the relation
                modules if not given. Boxes and scores are in fp32 or better.

        Returns:
            dict[str, Tensor]: ``feats`` (M, C); ``boxes`` (M, 4), xyxy in pixels; ``scores`` (M,);
            ``valid`` (M,), whether a slot holds a support; ``keys`` and ``values`` (B, G, M, d).
        """
        relation = self.aggregator.pool_relations[0]
        weight = relation.key_proj.weight
        device, dtype = device or weight.device, dtype or weight.dtype
        exact = torch.promote_types(dtype, torch.float32)
        slots, heads = self.max_frames * self.sampler.num_support, relation.num_heads
        projected = (len(self.aggregator.pool_relations), heads, slots, relation.embed_dims // heads)
        return dict(
            feats=torch.zeros(slots, relation.embed_dims, device=device, dtype=dtype),
            boxes=torch.zeros(slots, 4, device=device, dtype=exact),
            scores=torch.full((slots,), -torch.inf, device=device, dtype=exact),
            valid=torch.zeros(slots, device=device, dtype=torch.bool),
            keys=torch.zeros(projected, device=device, dtype=dtype),
            values=torch.zeros(projected, device=device, dtype=dtype),
        )

    def append(self, state: State, feats: Tensor, boxes: Tensor, scores: Tensor, num: int | Tensor) -> State:
        """Take one frame's supports; the oldest slots are dropped.

        Args:
            state (dict[str, Tensor]): The state so far, which is not changed.
            feats (Tensor): (K, C) RoI features of the proposals that the sampler selects.
            boxes (Tensor): (K, 4) their boxes, xyxy in pixels.
            scores (Tensor): (K,) their objectness.
            num (int or Tensor): Number of supports, 0 .. K: the first rows. The others may hold anything.

        Returns:
            dict[str, Tensor]: The state with this frame as the newest.
        """
        count = self.sampler.num_support
        self.aggregator.pool_relations[0].check(feats, boxes, 'feats', 'boxes')
        if feats.shape[0] != count or scores.shape != (count,):
            raise ValueError(
                f'feats, boxes and scores must have K = {count} rows, got {len(feats)}, {len(boxes)} and {len(scores)}'
            )
        if isinstance(num, int) and not 0 <= num <= count:
            raise ValueError(f'num must be 0 .. {count}, got {num}')
        missing = torch.arange(count, device=feats.device) >= num  # (K,)
        feats = feats.masked_fill(missing[:, None], 0)
        keys, values = self.aggregator.project(feats)
        newest = dict(
            feats=feats,
            boxes=boxes.masked_fill(missing[:, None], 0),
            scores=scores.masked_fill(missing, -torch.inf),
            valid=~missing,
            keys=keys,
            values=values.masked_fill(missing[:, None], 0),  # a masked slot adds nothing
        )
        return {name: _shift(state[name], part, 0 if part.ndim < 3 else 2) for name, part in newest.items()}

    def relate(
        self, state: State, feats: Tensor, boxes: Tensor, return_weights: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """``RelationAggregator.forward`` over the supports of a state: Eq. 3-7.

        Args:
            state (dict[str, Tensor]): The state, with the frames up to t + T.
            feats (Tensor): (N, C) features of the key proposals of frame t.
            boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
            return_weights (bool): Whether to return the mean attention weights too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: (N, C) features, the given ones where no slot holds a
            support; and (N, M) mean attention weights (omega-bar), 0 for slots without one.
        """
        return self._distill(StatePool(self, state, boxes), feats, boxes, return_weights)

    def _distill(
        self, pool: 'StatePool', feats: Tensor, boxes: Tensor, return_weights: bool
    ) -> Tensor | tuple[Tensor, Tensor]:
        """See :meth:`relate`."""
        self.aggregator.pool_relations[0].check(feats, boxes, 'feats', 'boxes')
        if not return_weights:
            return distill(self.aggregator, feats, boxes, pool)
        outs, weights = distill(self.aggregator, feats, boxes, pool, True)
        return outs, weights * pool.state['valid']

    def forward(
        self, state: State, feats: Tensor, boxes: Tensor, scores: Tensor, num: Tensor, keys: Tensor, key_boxes: Tensor
    ) -> tuple[Tensor, State]:
        """Append a frame's supports and relate the key proposals of another: one graph to export.

        Args:
            state (dict[str, Tensor]): The state so far.
            feats (Tensor): (K, C) supports of the newest frame, as in :meth:`append`.
            boxes (Tensor): (K, 4) their boxes.
            scores (Tensor): (K,) their objectness.
            num (Tensor): () their number.
            keys (Tensor): (N, C) key proposals, as in :meth:`relate`.
            key_boxes (Tensor): (N, 4) their boxes.

        Returns:
            tuple[Tensor, dict[str, Tensor]]: (N, C) features, and the new state.
        """
        state = self.append(state, feats, boxes, scores, num)
        return self.relate(state, keys, key_boxes), state  # type: ignore[return-value]


def _shift(held: Tensor, newest: Tensor, dim: int) -> Tensor:
    """Return the slots with those of a new frame behind them, and without those of the oldest."""
    num = newest.shape[dim]
    return torch.cat([held.narrow(dim, num, held.shape[dim] - num), newest.to(held.dtype)], dim)


class StatePool:
    """The supports of a state and the boxes of N key proposals: a ``Pool`` of ``distill``."""

    def __init__(self, step: RelationStep, state: State, boxes: Tensor) -> None:
        aggregator = step.aggregator
        self.step = step
        self.state = state
        every = torch.cat([boxes.to(state['boxes'].dtype), state['boxes']])
        terms = aggregator.pool_relations[0].box_terms(every, step.factors)
        self.supports = terms.rows(slice(len(boxes), None))
        self.penalty = self._penalty(state['valid'])
        projected = zip(state['keys'], state['values'])
        self.projected: dict[ObjectRelationModule, tuple[Tensor, Tensor]] = dict(
            zip(aggregator.pool_relations, projected)
        )
        self.keys = terms.rows(slice(len(boxes)))
        self.geometry = self._geometry(self._key_relations(), self.keys, self.supports, self.penalty)

    def _key_relations(self) -> list[ObjectRelationModule]:
        """Return the modules that need geometry weights of key proposals and all slots.

        Eq. 3-4, and Eq. 7: its columns are some of the others.
        """
        aggregator = self.step.aggregator
        return [*aggregator.basic, *([aggregator.reference_relation] if aggregator.advanced else [])]

    def _geometry(
        self, relations: Sequence[ObjectRelationModule], queries: BoxTerms, supports: BoxTerms, penalty: Tensor
    ) -> dict[ObjectRelationModule, Tensor]:
        """Return geometry weights (G, N, M) of modules for N queries; near 0 for supports that do not count."""
        if not relations:
            return {}
        with torch.autocast(queries.center.device.type, enabled=False):
            layer = geometry_layer(relations, queries)
            sines = self.step.scales, self.step.shifts
            weights = geometry_weights(queries, supports, *layer, sines, penalty)
        return dict(zip(relations, weights.unflatten(0, (len(relations), -1))))

    def _penalty(self, valid: Tensor) -> Tensor:
        """Return the penalty (M,) of each support: see :func:`geometry_weights`."""
        return (~valid).to(self.state['boxes'].dtype) * _FAR_BELOW

    def prepare(self, relations: Sequence[ObjectRelationModule], queries: Any = None) -> list[Callable]:
        """See ``Supports``: for all N queries at once."""
        return [
            partial(relation.relate, *self.projected[relation], [self.geometry[relation]]) for relation in relations
        ]

    def query_blocks(self, boxes: Tensor) -> list[tuple[slice, None]]:
        """See ``Pool``: all queries in one block."""
        return [(slice(None), None)]

    def select_advanced(self) -> tuple[Tensor, Tensor]:
        """See ``Pool``: slots of the advanced supports (A,), and which of them count (A,)."""
        sampler, valid, groups = self.step.sampler, self.state['valid'], self.step.num_groups
        size = len(valid) // groups
        ranked = self.state['scores'].view(groups, size).argsort(dim=1, descending=True, stable=True)
        ranked = ranked[:, : sampler.num_advanced(size)]
        starts = torch.arange(0, len(valid), size, device=ranked.device)
        nums = self.step.shares.index_select(0, valid.view(groups, size).sum(1))  # (groups,)
        counts = torch.arange(ranked.shape[1], device=ranked.device) < nums[:, None]
        return (ranked + starts[:, None]).flatten(), counts.flatten()

    def refine(self, relation: ObjectRelationModule, inds: tuple[Tensor, Tensor]) -> Tensor:
        """See ``Pool``: Eq. 6."""
        self.geometry.update(self._geometry([relation], self.supports.rows(inds[0]), self.supports, self.penalty))
        (relate,) = self.prepare([relation])
        return relate(self.state['feats'].index_select(0, inds[0]))[0]

    def replace(self, inds: tuple[Tensor, Tensor], feats: Tensor, relation: ObjectRelationModule) -> 'StatePool':
        """See ``Pool``."""
        rows, valid = inds
        key, value = relation.project(feats)
        self.projected[relation] = key, value.masked_fill(~valid[:, None], 0)
        self.geometry[relation] = self._advanced_geometry(relation, rows, valid)
        return self

    def _advanced_geometry(self, relation: ObjectRelationModule, rows: Tensor, valid: Tensor) -> Tensor:
        """Return geometry weights (G, N, A) of key proposals and advanced supports; near 0 if not valid."""
        return torch.where(valid, self.geometry[relation].index_select(2, rows), 1e-37)
