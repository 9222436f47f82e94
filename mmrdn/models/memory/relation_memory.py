# Copyright (c) mmrdn contributors. All rights reserved.
"""The supportive pool of a sliding window: paper section 3.3, Algorithm 1."""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from mmrdn.models.memory.projected_pool import ProjectedPool
from mmrdn.models.necks import RelationAggregator
from mmrdn.models.task_modules.selective_support_sampler import SelectiveSupportSampler


class SupportFrame(NamedTuple):
    """What the pool keeps of one frame: at most K proposals."""

    feats: Tensor  # (k, C)
    boxes: Tensor  # (k, 4), xyxy in pixels
    scores: Tensor  # (k,), objectness


class RelationMemory:
    """The one typed buffer of support frames.

    Where no gradients are wanted (``torch.no_grad``, ``inference_mode``) and all modules are
    :class:`ObjectRelationModule`, what depends on the supports alone is computed once, when their
    frame is first looked at, and kept in a
    :class:`ProjectedPool`. Elsewhere :meth:`aggregate` runs the aggregator on
    the whole pool. The numbers are the same. Weights must not change between
    :meth:`reset` and :meth:`aggregate`.

    Args:
        aggregator (RelationAggregator): What relates reference proposals to the pool. Not owned:
            its parameters are the detector's.
        sampler (SelectiveSupportSampler): Chooses the supports.
        max_frames (int): Frames kept; 2T + 1 in Algorithm 1.
    """

    def __init__(self, aggregator: RelationAggregator, sampler: SelectiveSupportSampler, max_frames: int) -> None:
        if max_frames < 1:
            raise ValueError(f'max_frames must be 1 or more, got {max_frames}')
        self.aggregator = aggregator
        self.sampler = sampler
        self.max_frames = max_frames
        self._frames: deque[SupportFrame] = deque()
        # Holds the oldest of the frames; the newest enter when needed.
        self._projected: ProjectedPool | None = None

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def num_per_frame(self) -> list[int]:
        """list[int]: Supports of each frame, oldest first."""
        return [len(frame.feats) for frame in self._frames]

    def reset(self) -> None:
        """Forget all frames: a new video begins."""
        self._frames.clear()
        self._projected = None

    def append(self, feats: Tensor, boxes: Tensor, scores: Tensor) -> None:
        """Take one frame's proposals; past ``max_frames`` the oldest go.

        Args:
            feats (Tensor): (P, C) RoI features.
            boxes (Tensor): (P, 4) boxes, xyxy in pixels.
            scores (Tensor): (P,) objectness; the top K of them stay.
        """
        if not len(feats) == len(boxes) == len(scores):
            raise ValueError(
                f'feats, boxes and scores must be of one length, got {len(feats)}, {len(boxes)} and {len(scores)}'
            )
        inds = self.sampler.select_support(scores)
        if len(self) == self.max_frames:
            self.drop_oldest()
        self._frames.append(SupportFrame(feats[inds], boxes[inds], scores[inds]))

    def drop_oldest(self) -> None:
        """Forget the oldest frame (the window shrinks at a video's end)."""
        self._frames.popleft()
        if self._projected is not None and len(self._projected):
            self._projected.drop_oldest()

    def nbytes(self) -> int:
        """Bytes of the state: features and what is computed from them."""
        projected = self._projected
        return sum(part.nbytes for frame in self._frames for part in frame) + (
            0 if projected is None else projected.nbytes()
        )

    def pool(self) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """The supportive pool R^s, oldest frame first.

        Returns:
            tuple: Features (M, C), boxes (M, 4), objectness (M,) and the
            number of proposals of each frame.
        """
        if not self._frames:
            raise ValueError('the memory holds no frame: append one first')
        feats, boxes, scores = (torch.cat(part) for part in zip(*self._frames))
        return feats, boxes, scores, self.num_per_frame

    def aggregate(self, feats: Tensor, boxes: Tensor, return_weights: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """``RelationAggregator.forward`` over the pool that the memory holds.

        Args:
            feats (Tensor): (N, C) features of the reference proposals.
            boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
            return_weights (bool): Whether to return omega-bar too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: (N, C), and (N, M) with columns in
            the order of :meth:`pool`.
        """
        if torch.is_grad_enabled() or not self.aggregator.shares_geometry:
            return self._aggregate_pool(feats, boxes, return_weights)
        if not self._frames:
            raise ValueError('the memory holds no frame: append one first')
        if self._projected is None:
            self._projected = ProjectedPool(self.aggregator, self.sampler, self.max_frames)
        for i in range(len(self._projected), len(self)):
            self._projected.append(*self._frames[i])
        feats, weights = self._projected.aggregate(feats, boxes, return_weights)
        return (feats, weights) if return_weights else feats

    def _aggregate_pool(self, feats: Tensor, boxes: Tensor, return_weights: bool) -> Tensor | tuple[Tensor, Tensor]:
        """The plain way, differentiable and for any relation module."""
        support_feats, support_boxes, scores, num_per_frame = self.pool()
        advanced_inds = None
        if self.aggregator.advanced:
            advanced_inds = self.sampler.select_advanced(scores, num_per_frame)
        return self.aggregator(feats, boxes, support_feats, support_boxes, advanced_inds, return_weights)
