# Copyright (c) mmrdn contributors. All rights reserved.
"""The best path through a video's boxes, again and again (Viterbi).

Paper Eq. 9. Backwards through the frames, each box learns the largest sum that
a path from it can reach, and the link that begins it. The best path is taken,
its boxes leave, and only boxes whose own best path led through one that left
learn anew. So the cost is that of the parts that change: linear in the length
of the video.

Legend: B boxes, E links, S slots, as in ``box_graph.py``.
"""
import heapq

import numpy as np
from numba import njit

FREE, SUPPRESSED = -1, -2  # what find_paths says of boxes without a path


@njit(cache=True)
def find_paths(slot_first: np.ndarray, slot_label: np.ndarray,
               slot_frame: np.ndarray, first: np.ndarray, target: np.ndarray,
               link_gain: np.ndarray, box_gain: np.ndarray, max_gap: int,
               min_length: int, overlapped: np.ndarray,
               first_overlapped: np.ndarray) -> np.ndarray:
    """Take the path with the largest sum until there is none.

    A path goes on as long as there are boxes to link to. Of equal sums the
    one that begins earlier wins, then the lower index in the first frame
    where they differ.

    Args:
        slot_first (np.ndarray): (S + 1,) first box of each slot.
        slot_label (np.ndarray): (S,).
        slot_frame (np.ndarray): (S,).
        first (np.ndarray): (B + 1,) first link of each box.
        target (np.ndarray): (E,) box that each link leads to.
        link_gain (np.ndarray): (E,) what a link adds to the sum, 0 or more.
        box_gain (np.ndarray): (B,) what a box adds, 0 or more.
        max_gap (int): Frames that a link may pass over.
        min_length (int): Boxes of a path at least, 1 or 2.
        overlapped (np.ndarray): Boxes that leave together with a box.
        first_overlapped (np.ndarray): (B + 1,) where those of each box begin.

    Returns:
        np.ndarray: (B,) number of each box's path in the order they were
        taken; :data:`FREE` or :data:`SUPPRESSED` for boxes of none.
    """
    num_boxes, num_slots = len(box_gain), len(slot_label)
    path = np.full(num_boxes, FREE)
    value = np.zeros(num_boxes)
    link_to = np.full(num_boxes, -1)  # next box of the best path, or none
    slot_of = np.empty(num_boxes, np.int64)
    best = np.full(num_slots, -1)  # box of each slot that begins the best path
    heap = [(0.0, 0) for _ in range(0)]  # of (-value, slot), some outdated
    for slot in range(num_slots - 1, -1, -1):
        for box in range(slot_first[slot], slot_first[slot + 1]):
            slot_of[box] = slot
            _relax(box, path, value, link_to, first, target, link_gain,
                   box_gain)
        best[slot] = _best_of_slot(slot, slot_first, path, value, link_to,
                                   min_length)
        if best[slot] >= 0:
            heapq.heappush(heap, (-value[best[slot]], slot))
    changed = np.zeros(num_boxes, np.bool_)
    number = 0
    while len(heap):
        gain, slot = heapq.heappop(heap)
        if best[slot] < 0 or value[best[slot]] != -gain:
            continue  # outdated
        last, box = slot, best[slot]
        while box >= 0:
            last = slot_of[box]
            path[box] = number
            changed[box] = True
            for i in range(first_overlapped[box], first_overlapped[box + 1]):
                other = overlapped[i]
                if path[other] == FREE:
                    path[other] = SUPPRESSED
                    changed[other] = True
            box = link_to[box]
        number += 1
        # Back through the slots, as far as a change can reach.
        reach, current = slot_frame[slot], last
        while (current >= 0 and slot_label[current] == slot_label[last]
               and slot_frame[current] >= reach - max_gap - 1):
            touched = False
            for box in range(slot_first[current], slot_first[current + 1]):
                if path[box] == FREE and link_to[box] >= 0 and changed[
                        link_to[box]]:
                    changed[box] = _relax(box, path, value, link_to, first,
                                          target, link_gain, box_gain)
                    touched = True
                touched = touched or changed[box]
            if touched:
                reach = min(reach, slot_frame[current])
                best[current] = _best_of_slot(current, slot_first, path, value,
                                              link_to, min_length)
                if best[current] >= 0:
                    heapq.heappush(heap, (-value[best[current]], current))
            current -= 1
        changed[slot_first[current + 1]:slot_first[last + 1]] = False
    return path


@njit(cache=True)
def _relax(box: int, path: np.ndarray, value: np.ndarray, link_to: np.ndarray,
           first: np.ndarray, target: np.ndarray, link_gain: np.ndarray,
           box_gain: np.ndarray) -> bool:
    """Find the best path from a box; whether its sum changed."""
    best, to = -1.0, -1
    for link in range(first[box], first[box + 1]):
        other = target[link]
        if path[other] == FREE and link_gain[link] + value[other] > best:
            best, to = link_gain[link] + value[other], other
    link_to[box] = to
    before = value[box]
    value[box] = box_gain[box] + max(best, 0.0)
    return value[box] != before


@njit(cache=True)
def _best_of_slot(slot: int, slot_first: np.ndarray, path: np.ndarray,
                  value: np.ndarray, link_to: np.ndarray,
                  min_length: int) -> int:
    """The box that begins the best path, -1 if none does."""
    best = -1
    for box in range(slot_first[slot], slot_first[slot + 1]):
        if path[box] != FREE or (min_length > 1 and link_to[box] < 0):
            continue
        if best < 0 or value[box] > value[best]:
            best = box
    return best
