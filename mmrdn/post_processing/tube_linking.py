# Copyright (c) mmrdn contributors. All rights reserved.
"""Tube linking by Viterbi: refs [12, 8] of the paper, Table 2.

Paper Eq. 8-9 with e^0. Deviations, off by default: ``min_iou`` and ``max_gap``.
"""

from collections.abc import Sequence

import numpy as np

from mmrdn.post_processing.base_box_linker import BaseBoxLinker
from mmrdn.post_processing.box_graph import BoxGraph
from mmrdn.post_processing.path_search import find_paths


class TubeLinking(BaseBoxLinker):
    """Add the average of the better half of a track's scores to its boxes.

    For each class, over a run of frames that all have boxes, the path with the largest sum of ``s_i
    + s_j + IoU`` over consecutive boxes becomes a track: the average of the top half (rounded
    up) of its scores is added to its boxes, which are then taken out. This is repeated until a frame
    of the run has no boxes left, and then in the runs on either side. A box in no path of two or
    more keeps its score. Afterwards scores are in [0, 2].
    """

    def _find_paths(self, graph: BoxGraph, relations: Sequence | None) -> np.ndarray:
        # No link score is negative, so the best path crosses its whole run.
        return find_paths(graph, self._link_scores(graph, relations), min_length=2)

    def _link_scores(self, graph: BoxGraph, relations: Sequence | None) -> np.ndarray:
        """(E,) scores ``s_i + s_j + IoU`` of the links, without relations."""
        return graph.iou + (graph.scores[graph.source()] + graph.scores[graph.target])

    def _rescore(self, scores: np.ndarray, path: np.ndarray) -> np.ndarray:
        rescored, taken = scores.copy(), np.flatnonzero(path >= 0)
        if len(taken):
            taken = taken[np.lexsort((-scores[taken], path[taken]))]
            number, sizes = path[taken], np.bincount(path[taken])
            rank = np.arange(len(taken)) - (np.cumsum(sizes) - sizes)[number]
            half = (sizes + 1) // 2
            top = rank < half[number]
            means = np.bincount(number[top], scores[taken][top]) / half
            rescored[taken] += means[number]
        return rescored
