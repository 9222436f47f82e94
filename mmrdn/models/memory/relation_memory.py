# Copyright (c) mmrdn contributors. All rights reserved.
"""The cached supports of a sliding window: paper section 3.3, Algorithm 1.

What depends on one support alone, its keys and values for each module and the geometry terms of its
box, is computed once, when its frame is first looked at.

Eq. 6 relates every advanced support to every support of the pool. When the window moves on, one
frame leaves and one comes; relations to the others stay. So the average of Eq. 1 over each frame is
kept for each advanced support, and only what is new is computed: all frames for a support that
becomes advanced, the new frame for those that are. A frame that leaves no longer counts; nothing is
subtracted, so no error builds up.

Legend: N key proposals, M supports, A advanced supports, L frames at most, K supports of a frame at
most, S slots for advanced supports, C channels, G heads, d = C / G channels a head, B modules that
look at the pool.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn as nn
from torch import Tensor

from mmrdn.models.layers import BoxTerms, attend_parts, merge_parts
from mmrdn.models.memory.relation_step import RelationStep
from mmrdn.models.memory.stepped_supports import SteppedSupports
from mmrdn.models.necks import ObjectRelationModule, RelationAggregator
from mmrdn.models.necks.projected_supports import ProjectedSupports, tile_shape
from mmrdn.models.necks.relation_aggregator import distill
from mmrdn.models.task_modules.selective_support_sampler import SelectiveSupportSampler


def _steps_on(device: torch.device) -> bool:
    """Return whether a device wants few launches and no waits, rather than tiles that fit into its caches."""
    return device.type != 'cpu'


class SupportFrame(NamedTuple):
    """The supports of one frame: at most K proposals."""

    feats: Tensor  # (k, C)
    boxes: Tensor  # (k, 4), xyxy in pixels
    scores: Tensor  # (k,), objectness


class RelationMemory:
    """The frames of a window and what relation modules compute of them: a ``Pool`` of ``distill``.

    On a CPU it works in tiles, on an accelerator by :class:`RelationStep`, which takes few launches
    and never waits. Nothing is cached where gradients are wanted, or where a relation module does not allow it
    (``caches_supports``): :meth:`aggregate` then runs the aggregator on the whole pool. The numbers
    are the same. Weights must not change between :meth:`reset` and :meth:`aggregate`.

    Args:
        aggregator (RelationAggregator): The relation modules. Not owned: its parameters are the
            detector's.
        sampler (SelectiveSupportSampler): The choice of supports and advanced supports.
        max_frames (int): L, frames kept; 2T + 1 in Algorithm 1.
    """

    def __init__(self, aggregator: RelationAggregator, sampler: SelectiveSupportSampler, max_frames: int) -> None:
        if max_frames < 1:
            raise ValueError(f'max_frames must be 1 or more, got {max_frames}')
        self.aggregator = aggregator
        self.sampler = sampler
        self.max_frames = max_frames
        self._capacity = max_frames * sampler.num_support
        self._stepped: SteppedSupports | None = None  # where it works by RelationStep
        self.reset()

    def reset(self) -> None:
        """Forget all frames: a new video begins."""
        self._frames: deque[SupportFrame] = deque()
        if self._stepped is not None:
            self._stepped.reset()
        # Cached supports, oldest first, are rows start .. end of each column, in its last dimension
        # but one: see _cache_new_frames. Frames that were not looked at yet are not among them.
        self._columns: list[Tensor] = []
        self._start = self._end = 0
        self._num_cached = 0  # frames, the oldest ones
        # Eq. 6: queries (G, S, d), and over each frame averages (G, S, L, d) and log denominators
        # (G, S, L). Frame number n is at n % L.
        self._slots: list[Tensor] = []
        self._oldest = 0  # number of the oldest frame
        self._num_unrelated = 0  # cached frames that no advanced support was related to

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def num_per_frame(self) -> list[int]:
        """list[int]: Supports of each frame, oldest first."""
        return [len(frame.feats) for frame in self._frames]

    def append(self, feats: Tensor, boxes: Tensor, scores: Tensor) -> None:
        """Take one frame's proposals; past ``max_frames`` the oldest frame is dropped.

        Args:
            feats (Tensor): (P, C) RoI features.
            boxes (Tensor): (P, 4) boxes, xyxy in pixels.
            scores (Tensor): (P,) objectness; the top K stay.
        """
        if not len(feats) == len(boxes) == len(scores):
            raise ValueError(
                f'feats, boxes and scores must be of one length, got {len(feats)}, {len(boxes)} and {len(scores)}'
            )
        inds = self.sampler.select_support(scores)
        if len(inds) > self.sampler.num_support:
            raise ValueError(f'the sampler chose {len(inds)} supports, expected {self.sampler.num_support} at most')
        if len(self) == self.max_frames:
            self.drop_oldest()
        self._frames.append(SupportFrame(feats[inds], boxes[inds], scores[inds]))

    def drop_oldest(self) -> None:
        """Forget the oldest frame (the window shrinks at a video's end)."""
        frame = self._frames.popleft()
        if not self._num_cached:
            return
        if self._slots:
            self._slots[-1][:, :, self._oldest % self.max_frames] = -torch.inf
        self._start += len(frame.feats)
        self._oldest += 1
        self._num_cached -= 1
        self._num_unrelated = min(self._num_unrelated, self._num_cached)

    def nbytes(self) -> int:
        """Return the bytes of the frames and of what is computed from them."""
        frames = [part for frame in self._frames for part in frame]
        stepped = 0 if self._stepped is None else self._stepped.nbytes()
        return stepped + sum(tensor.nbytes for tensor in [*frames, *self._columns, *self._slots])

    def pool(self) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """Return the pool R^s, oldest frame first.

        Returns:
            tuple: Features (M, C), boxes (M, 4), objectness (M,) and the number of supports of each
            frame.
        """
        if not self._frames:
            raise ValueError('the memory holds no frame: append one first')
        feats, boxes, scores = (torch.cat(part) for part in zip(*self._frames))
        return feats, boxes, scores, self.num_per_frame

    def aggregate(self, feats: Tensor, boxes: Tensor, return_weights: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """``RelationAggregator.forward`` over the pool that the memory holds.

        Args:
            feats (Tensor): (N, C) features of the key proposals.
            boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
            return_weights (bool): Whether to return the mean attention weights too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: (N, C) features, and (N, M) mean attention weights
            (omega-bar) with columns in the order of :meth:`pool`.
        """
        if torch.is_grad_enabled() or not self.aggregator.caches_supports:
            support_feats, support_boxes, *_ = self.pool()
            inds = self.select_advanced() if self.aggregator.advanced else None
            return self.aggregator(feats, boxes, support_feats, support_boxes, inds, return_weights)
        if not self._frames:
            raise ValueError('the memory holds no frame: append one first')
        self.aggregator.pool_relations[0].check(feats, boxes, 'feats', 'boxes')
        if _steps_on(feats.device):
            if self._stepped is None:
                self._stepped = SteppedSupports(RelationStep(self.aggregator, self.sampler, self.max_frames))
            return self._stepped.aggregate(tuple(self._frames), feats, boxes, return_weights)
        self._cache_new_frames()
        return distill(self.aggregator, feats, boxes, self, return_weights)

    # ------------------------------------------------------------- answers of a Pool

    def query_blocks(self, boxes: Tensor) -> Iterator[tuple[slice, BoxTerms]]:
        """See ``Pool``: blocks that fit into the caches."""
        return self._supports().query_blocks(boxes)

    def prepare(self, relations: Sequence[nn.Module], queries: BoxTerms) -> list[Callable]:
        """See ``Pool``: one encoding of the boxes serves all modules."""
        return self._supports().prepare(relations, queries)

    def select_advanced(self) -> Tensor:
        """See ``Pool``: indices (A,)."""
        return self.sampler.select_advanced(torch.cat([frame.scores for frame in self._frames]), self.num_per_frame)

    def refine(self, relation: ObjectRelationModule, inds: Tensor) -> Tensor:
        """See ``Pool``: Eq. 6, of which only what is new is computed."""
        feats, slots, *_ = self._rows()
        if not len(inds):
            return feats[inds]
        slots = slots[:, 0]  # (M,), -1 where not advanced
        own = slots[inds]  # (A,)
        new = own < 0
        query = relation.query(feats[inds[new]])  # (G, n, d)
        self._reserve_slots(query, len(inds), len(feats))
        queries, values, log_denominators = self._slots
        free = torch.ones(queries.shape[1], dtype=torch.bool, device=own.device)
        free[own[~new]] = False
        own[new] = free.nonzero()[: query.shape[1], 0]
        queries[:, own[new]] = query
        self._attend_frames(relation, own[~new], inds[~new], self._num_unrelated)
        self._attend_frames(relation, own[new], inds[new], len(self))
        self._num_unrelated = 0
        slots.fill_(-1)
        slots[inds] = own
        merged, _ = merge_parts(values, log_denominators)  # (G, S, d), NaN in unused slots
        return relation.augment(feats[inds], merged[:, own])

    def replace(self, inds: Tensor, feats: Tensor, relation: ObjectRelationModule) -> ProjectedSupports:
        """See ``Pool``."""
        return ProjectedSupports({relation: relation.project(feats)}, self._supports().terms.rows(inds))

    # ------------------------------------------------------------- cached supports

    def _rows(self) -> list[Tensor]:
        """Return the cached supports, column by column, without a copy."""
        return [column[..., self._start : self._end, :] for column in self._columns]

    def _supports(self) -> ProjectedSupports:
        """Return the cached supports as the modules want them."""
        _, _, keys, values, *terms = self._rows()
        return ProjectedSupports(dict(zip(self.aggregator.pool_relations, zip(keys, values))), BoxTerms(*terms))

    def _cache_new_frames(self) -> None:
        """Compute what frames that were not looked at yet bring along."""
        frames = list(self._frames)[self._num_cached :]
        if not frames:
            return
        feats, boxes, _ = (torch.cat(part) for part in zip(*frames))
        terms = self.aggregator.pool_relations[0].box_terms(boxes)
        keys, values = self.aggregator.project(feats)
        slots = boxes.new_full((len(boxes), 1), -1, dtype=torch.long)
        # (M, C), (M, 1), (B, G, M, d), (B, G, M, d), (M, 2), (M, 2), (M, 4F + 1)
        self._append_rows([feats, slots, keys, values, terms.center, terms.size, terms.waves])
        self._num_cached += len(frames)
        self._num_unrelated += len(frames)

    def _append_rows(self, columns: Sequence[Tensor]) -> None:
        """Write rows behind the others; the first ones give the types.

        Columns are a quarter longer than what they may hold. When their end is reached, what they
        hold moves to the beginning: a row is copied about five times in its life.
        """
        num, length = len(columns[0]), self._capacity + max(1, self._capacity // 4)
        if not self._columns:
            with torch.inference_mode(False):  # usable in and outside of it
                self._columns = [
                    torch.empty(*c.shape[:-2], length, c.shape[-1], dtype=c.dtype, device=c.device) for c in columns
                ]
        if self._end + num > length:
            for target, held in zip(self._columns, self._rows()):
                target[..., : self._end - self._start, :] = held.clone()
            self._start, self._end = 0, self._end - self._start
        for target, column in zip(self._columns, columns):
            target[..., self._end : self._end + num, :] = column
        self._end += num

    # ------------------------------------------------------------- Eq. 6

    def _reserve_slots(self, query: Tensor, num: int, pool: int) -> None:
        """Make room for ``num`` advanced supports of ``pool``; more for a pool that grows.

        Args:
            query (Tensor): (G, n, d) queries, for the types.
            num (int): A.
            pool (int): M.
        """
        held = self._slots[0].shape[1] if self._slots else 0
        if num <= held:
            return
        heads, _, dims = query.shape
        room = max(num, math.ceil(num / pool * self._capacity))
        dtype = torch.promote_types(query.dtype, torch.float32)
        with torch.inference_mode(False):  # usable in and outside of it
            slots = [
                torch.zeros(heads, room, dims, dtype=query.dtype, device=query.device),
                torch.zeros(heads, room, self.max_frames, dims, dtype=dtype, device=query.device),
                torch.full((heads, room, self.max_frames), -torch.inf, dtype=dtype, device=query.device),
            ]
        for target, source in zip(slots, self._slots):
            target[:, :held] = source
        self._slots = slots

    def _attend_frames(self, relation: ObjectRelationModule, slots: Tensor, inds: Tensor, num_frames: int) -> None:
        """Attend to each of the newest frames, for some advanced supports.

        Args:
            relation (ObjectRelationModule): The module of Eq. 6.
            slots (Tensor): (n,) slots that take the result.
            inds (Tensor): (n,) indices into the pool.
            num_frames (int): Frames, the newest ones.
        """
        first, nums = len(self) - num_frames, self.num_per_frame
        frames = [i for i in range(first, len(self)) if nums[i]]  # those with supports
        if not frames or not len(slots):
            return
        widths, start = [nums[i] for i in frames], sum(nums[:first])
        places = torch.tensor([(self._oldest + i) % self.max_frames for i in frames], device=slots.device)
        supports = self._supports()
        key, value = (part[:, start:] for part in supports.projected[relation])
        newest = ProjectedSupports({relation: (key, value)}, supports.terms.rows(slice(start, None)))
        rows, _ = tile_shape(len(newest.terms), slots.device)
        for slot, ind in zip(slots.split(rows), inds.split(rows)):
            tiles = newest.geometry([relation], supports.terms.rows(ind))
            geometry = torch.cat([tile[0] for tile in tiles], -1).split(widths, -1)
            values, log_denominators, _ = attend_parts(self._slots[0][:, slot], key, value, geometry)
            self._slots[1][:, slot[:, None], places] = values  # (G, n, frames, d)
            self._slots[2][:, slot[:, None], places] = log_denominators
