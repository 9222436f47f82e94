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
from mmrdn.models.layers import merge_parts
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
            (A, G, L, d) and ``log_denominators`` (A, G, L) of Eq. 6 over each frame: the newest in
            column ``column`` (1,), those before it in the columns before, in a ring. ``owners`` (M,)
            holds 1 + the row of an advanced support, 0 for others; ``related`` (1,) whether advanced
            supports were related to the newest frame.
        """
        state = super().initial_state(device, dtype)
        if not self.aggregator.advanced:
            return state
        num = self.num_groups * self.sampler.num_advanced(len(state['valid']) // self.num_groups)  # A
        _, heads, _, dims = state['keys'].shape
        return state | dict(
            averages=state['boxes'].new_zeros(num, heads, self.max_frames, dims),
            log_denominators=state['boxes'].new_zeros(num, heads, self.max_frames),
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
        # To pick columns takes a CPU longer than to compute them.
        return self._geometry([relation], self.keys, self.supports.rows(rows), self._penalty(valid))[relation]

    def refine(self, relation: ObjectRelationModule, inds: tuple[Tensor, Tensor]) -> Tensor:
        """See ``Pool``: Eq. 6, of which only what is new is computed."""
        state = self.state
        owners = state['owners'].index_select(0, inds[0])  # (A,)
        places = _places(owners)  # (A,) rows of the averages
        slots = torch.zeros_like(places).scatter(0, places, inds[0])  # (A,) of each row
        fresh = torch.zeros_like(places).scatter(0, places, (owners == 0).to(places.dtype)).nonzero()[:, 0]
        fresh = torch.cat([fresh, torch.zeros_like(places[:1])])  # (n,) rows; one at least, which runtimes ask for
        feats = state['feats'].index_select(0, slots)
        queries = relation.query(feats)  # (G, A, d)
        parts = [  # the newest frame for all, and all frames for those that are new
            self._attend_frames(relation, queries, slots, 1),
            self._attend_frames(relation, queries[:, fresh], slots[fresh], self.step.max_frames),
        ]
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
        merged, _ = merge_parts(averages, log_denominators)  # (A, G, d)
        return relation.augment(feats, merged.transpose(0, 1)).index_select(0, places)

    def _cells(self, fresh: Tensor) -> tuple[Tensor, ...]:
        """Return row, head and column, each (A * G + n * G * L,), of what is new.

        First those of the newest frame, then those of all frames, oldest first, for some rows (n,).
        """
        num, heads, length = self.state['log_denominators'].shape
        column, numbers = self.state['column'], torch.arange(max(num, heads, length), device=fresh.device)
        rows, columns = numbers[:num, None, None], (numbers[:length] + column + 1) % length
        head = numbers[:heads, None]
        newest = torch.broadcast_tensors(rows, head, column)  # (A, G, 1)
        all_frames = torch.broadcast_tensors(fresh[:, None, None], head, columns)  # (n, G, L)
        return tuple(torch.cat([a.flatten(), b.flatten()]) for a, b in zip(newest, all_frames))

    def _attend_frames(
        self, relation: ObjectRelationModule, queries: Tensor, slots: Tensor, num_frames: int
    ) -> tuple[Tensor, Tensor]:
        """Attend to each of the newest frames.

        Args:
            relation (ObjectRelationModule): The module of Eq. 6.
            queries (Tensor): (G, n, d) queries.
            slots (Tensor): (n,) their slots.
            num_frames (int): F.

        Returns:
            tuple[Tensor, Tensor]: Averages (n, G, F, d), and log denominators (n, G, F).
        """
        shape = num_frames, self.step.sampler.num_support  # (F, K)
        newest = slice(len(self.penalty) - shape[0] * shape[1], None)
        terms = self.supports.rows(slots), self.supports.rows(newest)
        geometry = self._geometry([relation], *terms, self.penalty[newest])[relation]
        key, value = (part[:, newest] for part in self.projected[relation])
        appearance = (queries @ key.transpose(1, 2)).unflatten(-1, shape)  # (G, n, F, K)
        row_max = appearance.amax(-1, keepdim=True)
        weights = (appearance - row_max).exp() * geometry.unflatten(-1, shape)  # (G, n, F, K)
        denominators = weights.sum(-1, keepdim=True)  # (G, n, F, 1)
        averages = (weights.transpose(1, 2) @ value.unflatten(1, shape)).transpose(1, 2) / denominators
        log_denominators = row_max + denominators.log()
        return averages.transpose(0, 1), log_denominators.squeeze(-1).transpose(0, 1)


def _places(owners: Tensor) -> Tensor:
    """Give each advanced support a row of the averages: that which it owns (A,), or one that nobody owns."""
    used = torch.zeros_like(torch.cat([owners, owners[:1]])).scatter(0, owners, torch.ones_like(owners))[1:]
    free = used.argsort(stable=True)  # those that nobody owns come first
    new = owners == 0
    return torch.where(new, free.index_select(0, (new.cumsum(0) - 1).clamp(min=0)), owners - 1)
