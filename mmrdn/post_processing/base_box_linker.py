# Copyright (c) mmrdn contributors. All rights reserved.
"""What the ways to link boxes across frames share."""
from abc import ABCMeta, abstractmethod
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from .box_graph import BoxGraph, build_graph


class LinkedBoxes(NamedTuple):
    """What box linking says of the boxes of a video, frame by frame."""
    scores: List[np.ndarray]  # (n_t,) of each frame
    ids: List[np.ndarray]  # (n_t,) tube of each box from 0, -1 for none


class BaseBoxLinker(metaclass=ABCMeta):
    """Link the boxes of a video class by class and score them anew.

    A subclass says which paths there are and what scores they give.

    Args:
        min_iou (float): IoU of two boxes that a link needs; 0 links any two
            boxes of consecutive frames.
        max_gap (int): Frames that a link may pass over.
    """

    def __init__(self, min_iou: float = 0.0, max_gap: int = 0) -> None:
        if not 0 <= min_iou <= 1:
            raise ValueError(f'min_iou must be in [0, 1], got {min_iou}')
        if not isinstance(max_gap, int) or max_gap < 0:
            raise ValueError('max_gap must be a whole number of frames, 0 or '
                             f'more, got {max_gap!r}')
        self.min_iou = min_iou
        self.max_gap = max_gap

    def link(self,
             frames: Sequence[dict],
             relations: Optional[Sequence] = None) -> List[np.ndarray]:
        """New scores of the boxes of a video.

        Args:
            frames (Sequence[dict]): Of each frame in order ``bboxes``
                (n_t, 4) xyxy in pixels, ``scores`` (n_t,), 0 or more, and
                ``labels`` (n_t,).
            relations (Sequence, optional): For each frame but the last
                (n_t, n_{t+1}): omega-bar between its boxes and those of the
                next frame, an array, a sparse array of scipy or None.

        Returns:
            list[np.ndarray]: (n_t,) of each frame.

        Raises:
            ValueError: A field has the wrong shape or impossible values.
        """
        return self.trace(frames, relations).scores

    def trace(self,
              frames: Sequence[dict],
              relations: Optional[Sequence] = None) -> LinkedBoxes:
        """New scores, and the tube that each box belongs to.

        Args:
            frames (Sequence[dict]): As in :meth:`link`.
            relations (Sequence, optional): As in :meth:`link`.

        Returns:
            LinkedBoxes: Tubes are numbered in the order in which they begin.
        """
        frames = [_check_frame(frame, t) for t, frame in enumerate(frames)]
        if relations is not None:
            _check_relations(relations, frames)
        graph = build_graph(frames, self.min_iou, self.max_gap)
        path = self._find_paths(graph, relations)  # (B,)
        scores = self._rescore(graph.scores, path)  # (B,)
        ids = _number_tubes(graph, path)
        first = np.cumsum([0] + [len(frame['scores']) for frame in frames])
        ordered = np.argsort(first[graph.frame] + graph.index)  # (B,)
        linked = LinkedBoxes([], [])
        for frame, start, stop in zip(frames, first, first[1:]):
            boxes = ordered[start:stop]
            linked.scores.append(scores[boxes].astype(frame['scores'].dtype))
            linked.ids.append(ids[boxes])
        return linked

    @abstractmethod
    def _find_paths(self, graph: BoxGraph,
                    relations: Optional[Sequence]) -> np.ndarray:
        """(B,) what :func:`find_paths` returns."""

    @abstractmethod
    def _rescore(self, scores: np.ndarray, path: np.ndarray) -> np.ndarray:
        """(B,) new scores from the old ones and the paths."""


def _number_tubes(graph: BoxGraph, path: np.ndarray) -> np.ndarray:
    """(B,) ids from 0 in the order of the first box; -1 for single boxes."""
    ids = np.full(len(path), -1)
    taken = np.flatnonzero(path >= 0)
    if not len(taken):
        return ids
    taken = taken[np.bincount(path[taken])[path[taken]] > 1]
    taken = taken[np.lexsort((graph.index[taken], graph.frame[taken]))]
    _, first, inverse = np.unique(
        path[taken], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    ids[taken] = rank[inverse]
    return ids


def _check_frame(frame: dict, t: int) -> dict:
    """The arrays of a frame, scores as floats."""
    arrays = dict()
    for field in ('bboxes', 'scores', 'labels'):
        if field not in frame:
            raise ValueError(f"frames[{t}] must have the field '{field}'")
        arrays[field] = np.asarray(frame[field])
    num = arrays['scores'].size
    arrays['bboxes'] = arrays['bboxes'].reshape(-1, 4) if (
        arrays['bboxes'].size == 0) else arrays['bboxes']
    for field, shape in dict(
            bboxes=(num, 4), scores=(num, ), labels=(num, )).items():
        if arrays[field].shape != shape:
            raise ValueError(f'frames[{t}].{field} must be {shape}, got '
                             f'{arrays[field].shape}')
        if not np.isfinite(arrays[field]).all():
            raise ValueError(f'frames[{t}].{field} must be finite')
    if not np.issubdtype(arrays['scores'].dtype, np.floating):
        arrays['scores'] = arrays['scores'].astype(np.float64)
    if num and arrays['scores'].min() < 0:
        raise ValueError(f'frames[{t}].scores must be 0 or more, got '
                         f"{arrays['scores'].min()}")
    return arrays


def _check_relations(relations: Sequence, frames: List[dict]) -> None:
    """One for each pair of consecutive frames, of the right shape."""
    pairs = max(len(frames) - 1, 0)
    if len(relations) != pairs:
        raise ValueError(f'relations must be {pairs}, one for each frame but '
                         f'the last, got {len(relations)}')
    for t, relation in enumerate(relations):
        shape = (len(frames[t]['scores']), len(frames[t + 1]['scores']))
        if relation is not None and relation.shape != shape:
            raise ValueError(f'relations[{t}] must be {shape}, got '
                             f'{relation.shape}')
        values = getattr(relation, 'data', relation)
        if relation is not None and not np.isfinite(values).all():
            raise ValueError(f'relations[{t}] must be finite')
