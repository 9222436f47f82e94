# Copyright (c) mmrdn contributors. All rights reserved.
"""R^a of Eq. 6, kept while the window slides: paper section 3.3.

An advanced support is related to every support of the pool. When the window moves on, one frame
leaves and one comes; the sums over the others stay. So the sums of Eq. 1 are kept for each advanced
support and frame, and only new ones are computed: all frames for a support that becomes advanced,
the new frame for those that are. Nothing is ever subtracted, so no error builds up.

Legend: A advanced supports, M supports, L frames at most, C channels, G heads.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mmrdn.models.layers import RelationSum, relation_sum, split_heads
from mmrdn.models.memory.sliding_rows import SlidingRows
from mmrdn.models.necks.object_relation_module import ObjectRelationModule
from mmrdn.models.necks.relation_chain import Supports, geometry_tiles, tile_shape


class RefinedSupports:
    """The sums of Eq. 6 over each frame of the window.

    Args:
        relation (ObjectRelationModule): The one of Eq. 6.
        max_frames (int): L.
        max_supports (int): Supports of one frame at most.
    """

    def __init__(self, relation: ObjectRelationModule, max_frames: int, max_supports: int) -> None:
        self.relation = relation
        self.max_frames = max_frames
        self._slots = SlidingRows(max_frames * max_supports)
        self._sums: RelationSum | None = None  # (G, slots, L, d or 1)
        self._queries: Tensor | None = None  # (G, slots, d)
        self._first = 0  # number of the oldest frame
        self._new = 0  # frames that no support is related to yet
        self._num_frames = 0

    def append(self, num: int, device: torch.device) -> None:
        """A frame of ``num`` supports enters the window."""
        self._slots.append(torch.full((num,), -1, device=device))
        self._num_frames += 1
        self._new += 1

    def drop_oldest(self, num: int) -> None:
        """The oldest frame, of ``num`` supports, leaves the window."""
        self._slots.drop(num)
        if self._sums is not None:
            self._sums.top[:, :, self._first % self.max_frames] = -torch.inf
        self._first += 1
        self._num_frames -= 1
        self._new = min(self._new, self._num_frames)

    def nbytes(self) -> int:
        """Bytes of the tensors."""
        tensors = (*(self._sums or ()), self._queries)
        return self._slots.nbytes() + sum(tensor.nbytes for tensor in tensors if tensor is not None)

    def update(self, feats: Tensor, supports: Supports, num_per_frame: Sequence[int], inds: Tensor) -> Tensor:
        """Eq. 6 for the pool as it is now.

        Args:
            feats (Tensor): (M, C) features of the pool.
            supports (Supports): The pool, projected for :attr:`relation`.
            num_per_frame (Sequence[int]): Supports of each frame.
            inds (Tensor): (A,) indices into the pool, the advanced supports.

        Returns:
            Tensor: (A, C) refined features, in the order of ``inds``.
        """
        slots = self._slots.view()[0]  # (M,), -1 where not advanced
        mine = slots[inds]  # (A,)
        old, come = mine >= 0, mine < 0
        query = self.relation.query(feats[inds[come]])  # (G, n, d)
        self._reserve(query, len(inds), len(feats))
        starts = [0, *itertools.accumulate(num_per_frame)]
        spans = list(zip(starts, starts[1:]))
        self._relate(mine[old], inds[old], supports, spans, self._new)
        free = torch.ones(self._queries.shape[1], dtype=torch.bool, device=mine.device)
        free[mine[old]] = False
        mine[come] = free.nonzero()[: query.shape[1], 0]
        self._queries[:, mine[come]] = query
        self._relate(mine[come], inds[come], supports, spans, len(spans))
        self._new = 0
        slots.fill_(-1)
        slots[inds] = mine
        return self.relation.augment(feats[inds], self._total(mine))

    def _reserve(self, query: Tensor, num: int, pool: int) -> None:
        """Make room for ``num`` supports of ``pool``; more for more of them.

        Args:
            query (Tensor): (G, n, d), for the types.
            num (int): A.
            pool (int): M.
        """
        room = 0 if self._queries is None else self._queries.shape[1]
        if num <= room:
            return
        heads, _, dims = query.shape
        new = max(num, math.ceil(num / pool * self._slots.capacity))
        kind = dict(device=query.device, dtype=torch.promote_types(query.dtype, torch.float32))
        shape = (heads, new, self.max_frames)
        with torch.inference_mode(False):  # usable in and outside of it
            sums = RelationSum(
                torch.zeros(*shape, dims, **kind),
                torch.zeros(*shape, 1, **kind),
                torch.full((*shape, 1), -torch.inf, **kind),
            )
            queries = torch.zeros(heads, new, dims, dtype=query.dtype, device=query.device)
        if room:
            for target, source in zip((*sums, queries), (*self._sums, self._queries)):
                target[:, :room] = source
        self._sums, self._queries = sums, queries

    def _relate(
        self, slots: Tensor, inds: Tensor, supports: Supports, spans: Sequence[tuple[int, int]], num_frames: int
    ) -> None:
        """Sum over the newest frames for some advanced supports.

        Args:
            slots (Tensor): (n,) where their sums are kept.
            inds (Tensor): (n,) indices into the pool.
            supports (Supports): The pool.
            spans (Sequence[tuple[int, int]]): Supports of each frame.
            num_frames (int): How many frames, the newest ones.
        """
        first = len(spans) - num_frames
        start, stop = (spans[first][0], spans[-1][1]) if num_frames else (0, 0)
        if start == stop or not len(slots):
            return
        key, value = (split_heads(part, self.relation.num_heads) for part in (supports.key, supports.value))
        rows, columns = tile_shape(stop - start, slots.device)
        for slot, ind in zip(slots.split(rows), inds.split(rows)):
            geometry = torch.cat(
                [
                    tile[0]
                    for tile in geometry_tiles(
                        [self.relation], supports.terms[ind], supports.terms[start:stop], columns
                    )
                ],
                -1,
            )  # (G, n, stop - start)
            query = self._queries[:, slot]
            for frame, (a, b) in enumerate(spans[first:], self._first + first):
                if a == b:
                    continue
                sums, _ = relation_sum(query, key[:, a:b], value[:, a:b], geometry[..., a - start : b - start])
                for target, part in zip(self._sums, sums):
                    target[:, slot, frame % self.max_frames] = part

    def _total(self, slots: Tensor) -> RelationSum:
        """Put the frames together: sums (G, A, d) over the whole pool."""
        values, total, top = self._sums
        best = top.amax(2, keepdim=True)  # (G, slots, 1, 1)
        best = best.clamp(min=torch.finfo(best.dtype).min)  # unused slots
        scale = (top - best).exp()  # (G, slots, L, 1)
        values = (scale.transpose(2, 3) @ values).squeeze(2)
        total = (scale * total).sum(2)  # (G, slots, 1)
        return RelationSum(values[:, slots], total[:, slots], best[:, slots, 0])
