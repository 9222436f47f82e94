# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation of one frame with a memory of fixed shapes that keeps Eq. 6 between frames.

As :class:`mmrdn.models.RelationMemory` does on a CPU: the average of Eq. 1 over each frame is kept
for each advanced support, and only what is new is computed. How many supports become advanced
differs from frame to frame, so the graph asks for their number (``NonZero``), which costs a wait on
an accelerator and saves most of the work on a CPU.

Legend: N key proposals, L frames at most, K supports of a frame at most, M = L * K slots of the
pool, A advanced supports, n those that were not advanced before, C channels, G heads, d = C / G
channels a head.
"""

import torch
from torch import Tensor

from mmrdn.models import ObjectRelationModule, RelationStep
from mmrdn.models.layers import attend_frames, merge_parts
from mmrdn.models.memory.relation_step import State, StatePool


class IncrementalRelationStep(RelationStep):
    """:class:`RelationStep` for graphs that mostly run on a CPU: see :meth:`relate_and_keep`.

    The arguments are those of :class:`RelationStep`.
    """

    def initial_state(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> State:
        """Return the state before the first frame of a video.

        Args:
            device (torch.device, optional): See :class:`RelationStep`.
            dtype (torch.dtype, optional): See :class:`RelationStep`.

        Returns:
            dict[str, Tensor]: As :class:`RelationStep`. With an advanced stage also ``averages``
            (A + 1, G, L, d) and ``log_denominators`` (A + 1, G, L) of Eq. 6 over each frame: the newest
            in column ``column`` (1,), those before it in the columns before, in a ring; the last row is
            spare. ``owners`` (M,) holds 1 + the row of an advanced support, 0 for others; ``related``
            (1,) whether advanced supports were related to the newest frame.
        """
        state = super().initial_state(device, dtype)
        if not self.aggregator.advanced:
            return state
        num = self.num_groups * self.sampler.num_advanced(len(state['valid']) // self.num_groups)  # A
        _, heads, _, dims = state['keys'].shape
        return state | dict(
            averages=state['boxes'].new_zeros(num + 1, heads, self.max_frames, dims),
            log_denominators=state['boxes'].new_zeros(num + 1, heads, self.max_frames),
            owners=torch.zeros(len(state['valid']), dtype=torch.int64, device=state['valid'].device),
            column=torch.zeros(1, dtype=torch.int64, device=state['valid'].device),
            related=torch.zeros(1, dtype=torch.bool, device=state['valid'].device),
        )

    def append(self, state: State, feats: Tensor, boxes: Tensor, scores: Tensor, num: int | Tensor) -> State:
        """Take one frame's supports: see :class:`RelationStep`."""
        pool = super().append(state, feats, boxes, scores, num)
        if not self.aggregator.advanced:
            return pool
        owners = state['owners'] * state['related']  # averages that lack a frame serve nobody
        return pool | dict(
            averages=state['averages'],
            log_denominators=state['log_denominators'],
            owners=torch.cat([owners[len(feats) :], torch.zeros_like(owners[: len(feats)])]),
            column=(state['column'] + 1) % self.max_frames,
            related=torch.zeros_like(state['related']),
        )

    def relate_and_keep(
        self, state: State, feats: Tensor, boxes: Tensor, return_weights: bool = False
    ) -> tuple[Tensor | tuple[Tensor, Tensor], State]:
        """:meth:`relate`, and keep what it finds.

        Returns:
            tuple: The result of :meth:`relate`, and the new state.
        """
        pool = _IncrementalPool(self, state, boxes)
        return self._distill(pool, feats, boxes, return_weights), state | pool.kept

    def forward(
        self, state: State, feats: Tensor, boxes: Tensor, scores: Tensor, num: Tensor, keys: Tensor, key_boxes: Tensor
    ) -> tuple[Tensor, State]:
        """:meth:`append` and :meth:`relate_and_keep`: see :class:`RelationStep`."""
        state = self.append(state, feats, boxes, scores, num)
        return self.relate_and_keep(state, keys, key_boxes)  # type: ignore[return-value]


class _IncrementalPool(StatePool):
    """A pool that relates advanced supports to what is new.

    Attributes:
        kept (dict[str, Tensor]): The part of the state that has changed.
    """

    def __init__(self, step: RelationStep, state: State, boxes: Tensor) -> None:
        super().__init__(step, state, boxes)
        self.kept: State = {}

    def _key_relations(self) -> list[ObjectRelationModule]:
        return [*self.step.aggregator.basic]

    def _advanced_geometry(self, relation: ObjectRelationModule, rows: Tensor, valid: Tensor) -> Tensor:
        # A CPU computes these columns faster than it picks them out of others.
        return self._geometry([relation], self.keys, self.supports.rows(rows), self._penalty(valid))[relation]

    def refine(self, relation: ObjectRelationModule, inds: tuple[Tensor, Tensor]) -> Tensor:
        """See ``Pool``: Eq. 6, of which only what is new is computed."""
        state, count = self.state, self.step.sampler.num_support
        owned = state['owners'].index_select(0, inds[0])  # (A,)
        rows = _rows(owned)
        slots = torch.zeros_like(rows).scatter(0, rows, inds[0])  # (A,) of each row
        fresh = torch.zeros_like(rows).scatter(0, rows, (owned == 0).to(rows.dtype)).nonzero()[:, 0]
        fresh = torch.cat([fresh, rows.new_full((1,), len(rows))])  # (n,); the spare row, as runtimes ask for some
        feats = state['feats'].index_select(0, slots)
        queries = relation.query(feats)  # (G, A, d)
        parts = [self._attend(relation, queries, slots, slice(-count, None))]
        if self.step.max_frames > 1:
            some = fresh.clamp(max=len(rows) - 1)
            parts.append(self._attend(relation, queries[:, some], slots[some], slice(0, -count)))
        cells = self._cells(fresh)
        averages, log_denominators = (
            held.index_put(cells, torch.cat([part.flatten(0, 2) for part in new]))
            for held, new in zip((state['averages'], state['log_denominators']), zip(*parts))
        )
        numbers = torch.arange(1, len(slots) + 1, device=slots.device)
        self.kept = dict(
            averages=averages,
            log_denominators=log_denominators,
            owners=torch.zeros_like(state['owners']).scatter(0, slots, numbers),
            related=torch.ones_like(state['related']),
        )
        merged, _ = merge_parts(averages, log_denominators)  # (A + 1, G, d)
        return relation.augment(feats, merged[:-1].transpose(0, 1)).index_select(0, rows)

    def _attend(
        self, relation: ObjectRelationModule, queries: Tensor, slots: Tensor, supports: slice
    ) -> tuple[Tensor, Tensor]:
        """Attend to each of P frames: averages (n, G, P, d) and log denominators (n, G, P).

        Args:
            relation (ObjectRelationModule): The module of Eq. 6.
            queries (Tensor): (G, n, d) queries.
            slots (Tensor): (n,) their slots.
            supports (slice): Slots of the frames.
        """
        terms = self.supports.rows(slots), self.supports.rows(supports)
        geometry = self._geometry([relation], *terms, self.penalty[supports])[relation]
        key, value = (part[:, supports] for part in self.projected[relation])
        valid = self.state['valid'][supports].unflatten(0, (-1, self.step.sampler.num_support))
        averages, log_denominators = attend_frames(queries, key, value, geometry, valid)
        return averages.transpose(0, 1), log_denominators.transpose(0, 1)

    def _cells(self, fresh: Tensor) -> tuple[Tensor, ...]:
        """Return row, head and column of what is new: each (A * G + n * G * (L - 1),).

        First the newest frame for all rows, then the others, oldest first, for fresh rows (n,).
        """
        num, heads, length = self.state['log_denominators'].shape
        column, numbers = self.state['column'], torch.arange(max(num, heads, length), device=fresh.device)
        rows, head = numbers[: num - 1, None, None], numbers[:heads, None]
        others = (numbers[1:length] + column) % length  # (L - 1,)
        newest = torch.broadcast_tensors(rows, head, column)  # (A, G, 1)
        older = torch.broadcast_tensors(fresh[:, None, None], head, others)  # (n, G, L - 1)
        return tuple(torch.cat([a.flatten(), b.flatten()]) for a, b in zip(newest, older))


def _rows(owned: Tensor) -> Tensor:
    """Give each advanced support a row (A,): that which it owns, or one that nobody owns.

    Args:
        owned (Tensor): (A,) 1 + the row that a support owns, 0 for none.
    """
    used = torch.zeros_like(torch.cat([owned, owned[:1]])).scatter(0, owned, torch.ones_like(owned))[1:]
    free = used.argsort(stable=True)  # those that nobody owns come first
    new = owned == 0
    return torch.where(new, free.index_select(0, (new.cumsum(0) - 1).clamp(min=0)), owned - 1)
