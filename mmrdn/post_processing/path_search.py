# Copyright (c) mmrdn contributors. All rights reserved.
"""The best path through a video's boxes, again and again (Viterbi).

Paper Eq. 9. Backwards through the frames, each box learns the largest sum that a path from it can
reach, and the link that begins it. The best path is taken and its boxes leave. In the frames that
it crossed, boxes whose best path led through one that left are updated at once; those before it
later, when they are looked at, as their sums can only be too large. So only the parts that change
cost work, and the cost grows linearly with the length of a video.

Legend: B boxes, E links, S slots, as in ``box_graph.py``.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit

from mmrdn.post_processing.box_graph import BoxGraph

FREE, SUPPRESSED = -1, -2  # boxes without a path


class _Search(NamedTuple):
    """Best paths from each box, as far as they are known."""

    path: np.ndarray  # (B,) number of the path, FREE or SUPPRESSED
    value: np.ndarray  # (B,) largest sum of a path from a box, or more
    via: np.ndarray  # (B,) link that begins it, -1 for none
    best: np.ndarray  # (S,) box that begins the best path of a slot, or -1
    link_gain: np.ndarray  # (E,) gain of a link
    box_gain: np.ndarray  # (B,) gain of a box


def find_paths(
    graph: BoxGraph,
    link_gain: np.ndarray | None = None,
    box_gain: np.ndarray | None = None,
    min_length: int = 1,
    path: np.ndarray | None = None,
    overlaps: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Take the path with the largest sum until there is none.

    A path extends as far as there are boxes to link to. If computed sums are equal, the path that
    begins earlier wins, then the one with the lower index in the first frame where they differ.

    Args:
        graph (BoxGraph): B boxes and E links.
        link_gain (np.ndarray, optional): (E,) gain that a link adds to the sum, 0 or more; 0 if not given.
        box_gain (np.ndarray, optional): (B,) gain that a box adds, 0 or more; 0 if not given.
        min_length (int): Boxes of a path at least, 1 or 2.
        path (np.ndarray, optional): (B,) int64, :data:`FREE` or, for boxes that take no part,
            :data:`SUPPRESSED`; written into. All are free if not given.
        overlaps (tuple[np.ndarray, np.ndarray], optional): (O,) boxes that leave together with a box
            of their slot, and (B + 1,) where those of each box begin; none if not given.

    Returns:
        np.ndarray: (B,) ``path``, with the number of each box's path in the order they were taken.
    """
    num_boxes, num_slots = len(graph.scores), len(graph.slot_label)
    link_gain = np.zeros(len(graph.target)) if link_gain is None else link_gain
    box_gain = np.zeros(num_boxes) if box_gain is None else box_gain
    path = np.full(num_boxes, FREE) if path is None else path
    overlaps = overlaps or (np.zeros(0, np.int64), np.zeros(num_boxes + 1, np.int64))
    search = _Search(path, np.zeros(num_boxes), np.full(num_boxes, -1), np.full(num_slots, -1), link_gain, box_gain)
    _take_all(graph, search, min_length, *overlaps)
    return path


@njit(cache=True)
def _take_all(
    graph: BoxGraph, search: _Search, min_length: int, overlapped: np.ndarray, first_overlapped: np.ndarray
) -> None:
    """See :func:`find_paths`."""
    path, value, best = search.path, search.value, search.best
    num_boxes, num_slots = len(path), len(best)
    slot_of = np.empty(num_boxes, np.int64)
    heap = [(0.0, 0) for _ in range(0)]  # of (-value, slot), some outdated
    for slot in range(num_slots - 1, -1, -1):
        for box in range(graph.slot_first[slot], graph.slot_first[slot + 1]):
            slot_of[box] = slot
            _relax(graph, search, box)
        _update_slot(graph, search, min_length, heap, slot)
    changed = np.zeros(num_boxes, np.bool_)
    chain = np.empty(num_slots, np.int64)
    number = 0
    while len(heap):
        gain, slot = heapq.heappop(heap)
        box = best[slot]
        if box < 0 or path[box] != FREE or value[box] != -gain:
            continue  # outdated
        length = _follow(graph, search, box, chain)
        if length < 0:  # sums along it were smaller
            for i in range(-length):
                _update_slot(graph, search, min_length, heap, slot_of[chain[i]])
            continue
        for i in range(length):
            box = chain[i]
            path[box], changed[box] = number, True
            for j in range(first_overlapped[box], first_overlapped[box + 1]):
                if path[overlapped[j]] == FREE:
                    path[overlapped[j]] = SUPPRESSED
                    changed[overlapped[j]] = True
        number += 1
        last = slot_of[chain[length - 1]]
        for crossed in range(last, slot - 1, -1):
            touched = False
            for box in range(graph.slot_first[crossed], graph.slot_first[crossed + 1]):
                via = search.via[box]
                if path[box] == FREE and via >= 0 and changed[graph.target[via]]:
                    changed[box] = _relax(graph, search, box)
                    touched = True
                touched = touched or changed[box]
            if touched:
                _update_slot(graph, search, min_length, heap, crossed)
        changed[graph.slot_first[slot] : graph.slot_first[last + 1]] = False


@njit(cache=True)
def _relax(graph: BoxGraph, search: _Search, box: int) -> bool:
    """Find the best path from a box; whether its sum changed."""
    best, via = -1.0, -1
    for link in range(graph.first[box], graph.first[box + 1]):
        other = graph.target[link]
        if search.path[other] != FREE:
            continue
        reached = search.link_gain[link] + search.value[other]
        if reached > best:
            best, via = reached, link
    search.via[box] = via
    before = search.value[box]
    search.value[box] = search.box_gain[box] + max(best, 0.0)
    return search.value[box] != before


@njit(cache=True)
def _follow(graph: BoxGraph, search: _Search, start: int, chain: np.ndarray) -> int:
    """Write the best path from a box into a chain; its length.

    If boxes were taken since the path was found, it is repaired and the length is negative: there may
    be better paths now.
    """
    box, length, mended = start, 0, False
    while box >= 0:
        via = search.via[box]
        if via >= 0:
            other = graph.target[via]
            reached = search.link_gain[via] + search.value[other]
            if search.path[other] != FREE or search.value[box] != search.box_gain[box] + reached:
                _relax(graph, search, box)
                mended = True
        chain[length] = box
        length += 1
        via = search.via[box]
        box = graph.target[via] if via >= 0 else -1
    if not mended:
        return length
    for i in range(length - 1, -1, -1):
        _relax(graph, search, chain[i])
    return -length


@njit(cache=True)
def _update_slot(graph: BoxGraph, search: _Search, min_length: int, heap: list, slot: int) -> None:
    """Find the box of a slot that begins the best path, if there is one."""
    best = -1
    for box in range(graph.slot_first[slot], graph.slot_first[slot + 1]):
        if search.path[box] != FREE or (min_length > 1 and search.via[box] < 0):
            continue
        if best < 0 or search.value[box] > search.value[best]:
            best = box
    search.best[slot] = best
    if best >= 0:
        heapq.heappush(heap, (-search.value[best], slot))
