# Copyright (c) mmrdn contributors. All rights reserved.
"""Tube linking by Viterbi: refs [12, 8] of the paper, Table 2.

Paper Eq. 8-9 with e^0. Deviations, off by default: ``min_iou`` and
``max_gap``.
"""
from typing import Optional, Sequence

import numpy as np

from mmrdn.registry import TASK_UTILS
from .base_box_linker import BaseBoxLinker
from .box_graph import BoxGraph
from .path_search import find_paths


@TASK_UTILS.register_module()
class TubeLinking(BaseBoxLinker):
    """Add the average of the better half of a tube's scores to its boxes.

    For each class, over a run of frames that all have boxes, the path with
    the largest sum of ``s_i + s_j + IoU`` over consecutive boxes becomes a
    tube: its boxes get the average of the top half (rounded up) of its scores
    added, and leave. This is repeated until a frame of the run has no boxes
    left, and goes on with the runs on either side. A box that no path of two
    or more takes keeps its score. So scores are in [0, 2] afterwards.
    """

    def _find_paths(self, graph: BoxGraph,
                    relations: Optional[Sequence]) -> np.ndarray:
        # No link score is negative, so the best path crosses its whole run.
        nothing = np.zeros(0, np.int64)
        return find_paths(graph.slot_first, graph.slot_label, graph.slot_frame,
                          graph.first, graph.target,
                          self._link_scores(graph, relations),
                          np.zeros(len(graph.scores)), self.max_gap, 2,
                          nothing, np.zeros(len(graph.scores) + 1, np.int64))

    def _link_scores(self, graph: BoxGraph,
                     relations: Optional[Sequence]) -> np.ndarray:
        """(E,) scores of the links, without relations."""
        return (graph.scores[graph.source()] + graph.scores[graph.target] +
                graph.iou)

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
