# Copyright (c) mmrdn contributors. All rights reserved.
"""What the ways to link boxes across frames share."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmrdn.post_processing.box_graph import BoxGraph, build_graph
from mmrdn.post_processing.input_checks import check_frames, check_relations


class LinkedBoxes(NamedTuple):
    """What box linking says of the boxes of a video, frame by frame."""

    scores: list[np.ndarray]  # (n_t,) of each frame
    ids: list[np.ndarray]  # (n_t,) tube of each box from 1, -1 for none


class BaseBoxLinker(metaclass=ABCMeta):
    """Link the boxes of a video class by class and score them anew.

    A subclass says which paths there are and what scores they give.

    Args:
        min_iou (float): IoU of two boxes that a link needs; 0 links any two boxes of consecutive
            frames.
        max_gap (int): Frames that a link may pass over.
    """

    uses_relations = False  # whether link scores depend on relations

    def __init__(self, min_iou: float = 0.0, max_gap: int = 0) -> None:
        if not 0 <= min_iou <= 1:
            raise ValueError(f'min_iou must be in [0, 1], got {min_iou}')
        if not isinstance(max_gap, int) or max_gap < 0:
            raise ValueError(f'max_gap must be a whole number of frames, 0 or more, got {max_gap!r}')
        self.min_iou = min_iou
        self.max_gap = max_gap

    def link(self, frames: Sequence[dict], relations: Sequence | None = None) -> list[np.ndarray]:
        """New scores of the boxes of a video.

        Args:
            frames (Sequence[dict]): Of each frame in order ``bboxes`` (n_t, 4) xyxy in pixels,
                ``scores`` (n_t,), 0 or more, and ``labels`` (n_t,).
            relations (Sequence, optional): For each frame but the last (n_t, n_{t+1}): omega-bar
                between its boxes and those of the next frame, an array, a sparse array of scipy or
                None.

        Returns:
            list[np.ndarray]: (n_t,) of each frame.

        Raises:
            ValueError: A field has the wrong shape or impossible values.
        """
        frames, graph, path = self._search(frames, relations)
        return self._new_scores(frames, graph, path)

    def trace(self, frames: Sequence[dict], relations: Sequence | None = None) -> LinkedBoxes:
        """New scores, and the tube that each box belongs to.

        Args:
            frames (Sequence[dict]): As in :meth:`link`.
            relations (Sequence, optional): As in :meth:`link`.

        Returns:
            LinkedBoxes: Tubes are numbered in the order in which they begin.
        """
        frames, graph, path = self._search(frames, relations)
        return LinkedBoxes(self._new_scores(frames, graph, path), graph.by_frame(_number_tubes(graph, path), frames))

    def _search(self, frames: Sequence[dict], relations: Sequence | None) -> tuple[list[dict], BoxGraph, np.ndarray]:
        """The frames as arrays, their graph, and the path of each box (B,)."""
        frames = check_frames(frames)
        if relations is not None:
            relations = check_relations(relations, frames)
        graph = build_graph(frames, self.min_iou, self.max_gap)
        return frames, graph, self._find_paths(graph, relations)

    def _new_scores(self, frames: list[dict], graph: BoxGraph, path: np.ndarray) -> list[np.ndarray]:
        """(n_t,) of each frame, in the type of the old ones, fp32 at least."""
        scores = graph.by_frame(self._rescore(graph.scores, path), frames)
        return [new.astype(np.promote_types(frame['scores'].dtype, np.float32)) for new, frame in zip(scores, frames)]

    @abstractmethod
    def _find_paths(self, graph: BoxGraph, relations: Sequence | None) -> np.ndarray:
        """(B,) what :func:`find_paths` returns."""

    @abstractmethod
    def _rescore(self, scores: np.ndarray, path: np.ndarray) -> np.ndarray:
        """(B,) new scores from the old ones and the paths."""


def _number_tubes(graph: BoxGraph, path: np.ndarray) -> np.ndarray:
    """(B,) ids from 1 in the order of the first box; -1 for single boxes."""
    ids = np.full(len(path), -1)
    taken = np.flatnonzero(path >= 0)
    if not len(taken):
        return ids
    taken = taken[np.bincount(path[taken])[path[taken]] > 1]
    taken = taken[np.lexsort((graph.index[taken], graph.frame[taken]))]
    _, first, inverse = np.unique(path[taken], return_index=True, return_inverse=True)
    rank = 1 + np.argsort(np.argsort(first))
    ids[taken] = rank[inverse]
    return ids
