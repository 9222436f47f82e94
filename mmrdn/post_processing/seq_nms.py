# Copyright (c) mmrdn contributors. All rights reserved.
"""Seq-NMS for Video Object Detection: Han et al., 2016, ref [13] of the paper.

Deviations from it, off by default: ``max_gap``.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

from mmrdn.post_processing.base_box_linker import BaseBoxLinker
from mmrdn.post_processing.box_graph import BoxGraph, box_iou
from mmrdn.post_processing.path_search import FREE, SUPPRESSED, find_paths


class SeqNMS(BaseBoxLinker):
    """Suppression over sequences of boxes.

    For each class, the sequence of linked boxes with the largest sum of scores is taken; its boxes
    get the average (or the maximum) of its scores, and boxes that overlap one of them in its frame
    are suppressed: their score is 0 here, and :func:`link_video` takes them out. This is repeated until
    no box is left; a sequence may be a single box, which keeps its score. Boxes whose score is 0 take
    no part. Relations are not read.

    Args:
        min_iou (float): IoU that a link needs.
        nms_iou (float): IoU with a box that was taken that suppresses others of its frame.
        reduction (str): ``'mean'`` or ``'max'``, of the scores of a sequence.
        max_gap (int): Frames that a link may pass over.
    """

    def __init__(self, min_iou: float = 0.5, nms_iou: float = 0.3, reduction: str = 'mean', max_gap: int = 0) -> None:
        super().__init__(min_iou, max_gap)
        if not 0 < nms_iou <= 1:
            raise ValueError(f'nms_iou must be in (0, 1], got {nms_iou}')
        if reduction not in ('mean', 'max'):
            raise ValueError(f"reduction must be 'mean' or 'max', got {reduction!r}")
        self.nms_iou = nms_iou
        self.reduction = reduction

    def _find_paths(self, graph: BoxGraph, relations: Sequence | None) -> np.ndarray:
        path = np.where(graph.scores > 0, FREE, SUPPRESSED)
        overlaps = _overlaps(graph.boxes, graph.slot_first, self.nms_iou)
        return find_paths(graph, box_gain=graph.scores, path=path, overlaps=overlaps)

    def _rescore(self, scores: np.ndarray, path: np.ndarray) -> np.ndarray:
        rescored = np.where(path == SUPPRESSED, 0.0, scores)
        taken = np.flatnonzero(path >= 0)
        if len(taken):
            number, sizes = path[taken], np.bincount(path[taken])
            if self.reduction == 'mean':
                new = np.bincount(number, scores[taken]) / sizes
            else:
                new = np.zeros(len(sizes))
                np.maximum.at(new, number, scores[taken])
            new = np.where(sizes[number] > 1, new[number], scores[taken])
            rescored[taken] = new
        return rescored


@njit(cache=True)
def _overlaps(boxes: np.ndarray, slot_first: np.ndarray, nms_iou: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes that overlap each box in its slot, and where they begin."""
    first = np.zeros(len(boxes) + 1, np.int64)
    overlapped = [0 for _ in range(0)]
    for slot in range(len(slot_first) - 1):
        start, stop = slot_first[slot], slot_first[slot + 1]
        for i in range(start, stop):
            for j in range(start, stop):
                if i != j and box_iou(boxes[i], boxes[j]) >= nms_iou:
                    overlapped.append(j)
            first[i + 1] = len(overlapped)
    return np.array(overlapped, dtype=np.int64), first
