# Copyright (c) mmrdn contributors. All rights reserved.
"""The supportive pool with everything that a support needs computed once.

Paper sections 3.2 and 3.3. What depends on one support alone, its keys and values for each module
and the geometry terms of its box, is computed when its frame enters; Eq. 6 is kept as
:class:`RefinedSupports` says.

Legend: N queries, M supports, A advanced supports, C channels.
"""

from collections import deque

from torch import Tensor

from mmrdn.models.layers import BoxTerms
from mmrdn.models.memory.refined_supports import RefinedSupports
from mmrdn.models.memory.sliding_rows import SlidingRows
from mmrdn.models.necks import RelationAggregator
from mmrdn.models.necks.relation_chain import Supports, relate_in_turn
from mmrdn.models.task_modules.selective_support_sampler import SelectiveSupportSampler


class ProjectedPool:
    """The pool as the modules see it.

    Args:
        aggregator (RelationAggregator): Its modules share their geometry.
        sampler (SelectiveSupportSampler): Chooses the advanced supports.
        max_frames (int): Frames kept.
    """

    def __init__(self, aggregator: RelationAggregator, sampler: SelectiveSupportSampler, max_frames: int) -> None:
        self.aggregator = aggregator
        self.sampler = sampler
        modules = list(aggregator.basic)
        if aggregator.advanced:
            modules.append(aggregator.support_relation)
        self._modules = modules  # those that look at the pool
        self._rows = SlidingRows(max_frames * sampler.num_support)
        self._num_per_frame: deque[int] = deque()
        self._refined: RefinedSupports | None = None
        if aggregator.advanced:
            self._refined = RefinedSupports(aggregator.support_relation, max_frames, sampler.num_support)

    def __len__(self) -> int:
        return len(self._num_per_frame)

    def append(self, feats: Tensor, boxes: Tensor, scores: Tensor) -> None:
        """A frame with k supports enters: (k, C), (k, 4) and (k,)."""
        terms = self._modules[0].box_terms(boxes)
        projected = [m.project(feats, terms) for m in self._modules]
        self._rows.append(feats, scores, *terms, *(part for p in projected for part in p[:2]))
        self._num_per_frame.append(len(feats))
        if self._refined is not None:
            self._refined.append(len(feats), feats.device)

    def drop_oldest(self) -> None:
        """The oldest frame leaves."""
        num = self._num_per_frame.popleft()
        self._rows.drop(num)
        if self._refined is not None:
            self._refined.drop_oldest(num)

    def nbytes(self) -> int:
        """Bytes of the tensors."""
        refined = 0 if self._refined is None else self._refined.nbytes()
        return self._rows.nbytes() + refined

    def aggregate(self, feats: Tensor, boxes: Tensor, return_weights: bool) -> tuple[Tensor, Tensor | None]:
        """Eq. 3-7 for reference proposals, as the aggregator's forward.

        Args:
            feats (Tensor): (N, C) features of the reference proposals.
            boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
            return_weights (bool): Whether to return omega-bar too.

        Returns:
            tuple[Tensor, Tensor or None]: (N, C) and (N, M).
        """
        aggregator, weights = self.aggregator, None
        self._modules[0].check(feats, boxes, 'feats', 'boxes')
        terms = self._modules[0].box_terms(boxes)
        supports = self._supports()
        if aggregator.num_basic:
            feats, weights = relate_in_turn(
                aggregator.basic, supports[: aggregator.num_basic], feats, terms, return_weights, aggregator.between()
            )
        if self._refined is not None:
            advanced = self._advanced(supports[-1])
            feats, _ = relate_in_turn([aggregator.reference_relation], [advanced], feats, terms)
        return feats, weights

    def _supports(self) -> list[Supports]:
        """The pool for each module that looks at it."""
        rows = self._rows.view()
        terms = BoxTerms(*rows[2:5])
        return [Supports(key, value, terms) for key, value in zip(rows[5::2], rows[6::2])]

    def _advanced(self, supports: Supports) -> Supports:
        """The advanced supports of Eq. 6, projected for Eq. 7."""
        feats, scores = self._rows.view()[:2]
        inds = self.sampler.select_advanced(scores, list(self._num_per_frame))
        terms = supports.terms[inds]
        refined = feats[inds]  # (A, C)
        if len(inds):
            refined = self._refined.update(feats, supports, list(self._num_per_frame), inds)
        if self.aggregator.advanced_transform:
            refined = self.aggregator.support_transform(refined)
        return self.aggregator.reference_relation.project(refined, terms)
