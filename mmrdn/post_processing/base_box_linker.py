# Copyright (c) mmrdn contributors. All rights reserved.
"""Base of the ways to link boxes across frames."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from mmrdn.post_processing.box_graph import BoxGraph, build_graph
from mmrdn.post_processing.path_search import SUPPRESSED
from mmrdn.structures import FrameDetections
from mmrdn.structures.frame_boxes import to_numpy
from mmrdn.utils.checks import check_num_frames

Frames = Sequence[FrameDetections | Mapping[str, Any]]


class LinkedBoxes(NamedTuple):
    """Results of box linking for the boxes of a video, frame by frame."""

    scores: list[np.ndarray]  # (n_t,) of each frame
    track_ids: list[np.ndarray]  # (n_t,) track of each box from 1, -1 for none
    kept: list[np.ndarray]  # (n_t,) bool, False for boxes that were suppressed


class BaseBoxLinker(metaclass=ABCMeta):
    """Link the boxes of a video class by class and give them new scores.

    A subclass finds the paths and gives them scores. Boxes that it suppresses have a
    new score all the same, 0; :func:`link_video` takes them out, so that they are in no result.

    Args:
        min_iou (float): IoU of two boxes that a link needs; 0 links any two boxes of consecutive
            frames.
        max_gap (int): Frames that a link may pass over.
    """

    uses_relations = False  # whether link scores depend on relations

    def __init__(self, min_iou: float = 0.0, max_gap: int = 0) -> None:
        if not 0 <= min_iou <= 1:
            raise ValueError(f'min_iou must be in [0, 1], got {min_iou}')
        check_num_frames('max_gap', max_gap, 0)
        self.min_iou = min_iou
        self.max_gap = max_gap

    def link(self, frames: Frames, relations: Sequence | None = None) -> list[np.ndarray]:
        """Return new scores of the boxes of a video, (n_t,) of each frame.

        Args:
            frames (Sequence[FrameDetections | dict]): Frames in order; dicts have ``bboxes``
                (n_t, 4) xyxy in pixels, ``scores`` (n_t,), 0 or more, and ``labels`` (n_t,).
            relations (Sequence, optional): For each frame but the last (n_t, n_{t+1}) mean
                attention weights between its boxes and those of the next frame: an array, a sparse
                array of scipy or None.

        Raises:
            ValueError: A field has the wrong shape or impossible values.
        """
        return self.trace(frames, relations).scores

    def trace(self, frames: Frames, relations: Sequence | None = None) -> LinkedBoxes:
        """Return new scores, the track of each box, numbered in the order in which they begin, and what is kept.

        Args:
            frames (Sequence[FrameDetections | dict]): See :meth:`link`.
            relations (Sequence, optional): See :meth:`link`.
        """
        frames = FrameDetections.of_all(frames, 'frames')
        for t, frame in enumerate(frames):
            if (frame.scores < 0).any():
                raise frame.error(f'frames[{t}]: scores must be 0 or more, got {frame.scores[frame.scores < 0][0]}')
        if relations is not None:
            relations = _check_relations(relations, frames)
        graph = build_graph(frames, self.min_iou, self.max_gap)
        path = self._find_paths(graph, relations)
        scores = graph.by_frame(self._rescore(graph.scores, path), frames)
        scores = [  # in the type of the old ones, fp32 at least
            new.astype(np.promote_types(frame.scores.dtype, np.float32)) for new, frame in zip(scores, frames)
        ]
        kept = (path != SUPPRESSED) | (graph.scores == 0)  # those of score 0 took no part
        return LinkedBoxes(scores, *(graph.by_frame(each, frames) for each in (_number_tracks(graph, path), kept)))

    @abstractmethod
    def _find_paths(self, graph: BoxGraph, relations: Sequence | None) -> np.ndarray:
        """Return the path of each box (B,), see :func:`find_paths`."""

    @abstractmethod
    def _rescore(self, scores: np.ndarray, path: np.ndarray) -> np.ndarray:
        """Return new scores (B,) from the old ones and the paths."""


def _number_tracks(graph: BoxGraph, path: np.ndarray) -> np.ndarray:
    """Return track ids (B,) from 1 in the order of the first box; -1 for single boxes."""
    ids = np.full(len(path), -1)
    taken = np.flatnonzero(path >= 0)
    if not len(taken):
        return ids
    taken = taken[np.bincount(path[taken])[path[taken]] > 1]
    taken = taken[np.lexsort((graph.box[taken], graph.frame[taken]))]
    _, first, inverse = np.unique(path[taken], return_index=True, return_inverse=True)
    rank = 1 + np.argsort(np.argsort(first))
    ids[taken] = rank[inverse]
    return ids


def _check_relations(relations: Sequence, frames: list[FrameDetections]) -> list[np.ndarray | csr_array | None]:
    """Return the relations of each pair of consecutive frames as arrays.

    Raises:
        ValueError: Their number or a shape is wrong, or a weight is not finite or so large that its
            exp is not.
    """
    pairs = max(len(frames) - 1, 0)
    if len(relations) != pairs:
        raise ValueError(f'relations must be {pairs}, one for each frame but the last, got {len(relations)}')
    checked = []
    for t, relation in enumerate(relations):
        if relation is not None:
            shape = (len(frames[t]), len(frames[t + 1]))
            sparse = issparse(relation)
            relation = csr_array(relation) if sparse else to_numpy(relation)
            if not sparse and relation.size == 0 == shape[0] * shape[1]:
                relation = relation.reshape(shape)
            if relation.shape != shape:
                raise ValueError(f'relations[{t}] must be {shape}, got {relation.shape}')
            values = relation.data if sparse else relation
            if not (np.isfinite(values) & (values < 100)).all():
                raise ValueError(f'relations[{t}] must be finite and below 100 (mean attention weights are at most 1)')
        checked.append(relation)
    return checked
