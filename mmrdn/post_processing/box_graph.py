# Copyright (c) mmrdn contributors. All rights reserved.
"""Boxes of a video and the links between them, class by class.

Legend: B boxes of the video, E links, S slots: the boxes of one class in one frame. Slots are
sorted by class and frame, boxes by slot and index.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.sparse import issparse

from mmrdn.structures import FrameDetections
from mmrdn.structures.frame_boxes import concatenate


class BoxGraph(NamedTuple):
    """Links lead from a box to boxes of its class in later frames."""

    frame: np.ndarray  # (B,) of each box
    box: np.ndarray  # (B,) index of each box in its frame
    boxes: np.ndarray  # (B, 4), xyxy
    scores: np.ndarray  # (B,)
    slot_first: np.ndarray  # (S + 1,) first box of each slot
    slot_label: np.ndarray  # (S,)
    slot_frame: np.ndarray  # (S,)
    first: np.ndarray  # (B + 1,) first link of each box
    target: np.ndarray  # (E,) box that a link leads to, ascending for a box
    iou: np.ndarray  # (E,)

    def source(self) -> np.ndarray:
        """Return the box that each link starts from, (E,)."""
        return np.repeat(np.arange(len(self.boxes)), np.diff(self.first))

    def by_frame(self, values: np.ndarray, frames: Sequence[FrameDetections]) -> list[np.ndarray]:
        """Return values of the boxes (B,) in the order of the frames' boxes."""
        first = np.cumsum([0] + [len(frame) for frame in frames])
        ordered = np.empty_like(values)
        ordered[first[self.frame] + self.box] = values
        return [ordered[start:stop] for start, stop in zip(first, first[1:])]

    def gather(self, relations: Sequence) -> np.ndarray:
        """Return the relation weight of each link, 0 where none is known.

        Args:
            relations (Sequence): For each frame but the last (n_t, n_{t+1}), an array, a sparse
                array or None.

        Returns:
            np.ndarray: (E,) float64.
        """
        weights, source = np.zeros(len(self.target)), self.source()
        near = np.flatnonzero(self.frame[self.target] == self.frame[source] + 1)
        frames = self.frame[source[near]]
        if np.any(np.diff(frames) < 0):
            order = np.argsort(frames, kind='stable')
            near, frames = near[order], frames[order]
        bounds = np.searchsorted(frames, np.arange(len(relations) + 1))
        for t, relation in enumerate(relations):
            links = near[bounds[t] : bounds[t + 1]]
            if relation is None or not len(links):
                continue
            if issparse(relation):
                relation = relation.toarray()
            weights[links] = relation[self.box[source[links]], self.box[self.target[links]]]
        return weights


def build_graph(frames: Sequence[FrameDetections], min_iou: float, max_gap: int) -> BoxGraph:
    """Link the boxes of a class from frame to frame.

    Args:
        frames (Sequence[FrameDetections]): All frames of a video in order.
        min_iou (float): IoU that a link must reach; 0 links all boxes.
        max_gap (int): Frames that a link may pass over.

    Returns:
        BoxGraph: Boxes and links.
    """
    nums = np.array([len(frame) for frame in frames], np.int64)
    frame = np.repeat(np.arange(len(frames)), nums)  # (B,)
    index = np.arange(len(frame)) - np.repeat(np.cumsum(nums) - nums, nums)
    label = concatenate(frames, 'labels')
    order = np.lexsort((index, frame, label))
    frame, index, label = frame[order], index[order], label[order]
    boxes, scores = concatenate(frames, 'bboxes')[order], concatenate(frames, 'scores')[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(label) != 0) | (np.diff(frame) != 0)
    slots = np.flatnonzero(new)
    slot_first = np.append(slots, len(order))
    slot_label, slot_frame = label[slots], frame[slots]
    first, target, iou = _find_links(boxes, slot_first, slot_label, slot_frame, min_iou, max_gap)
    return BoxGraph(frame, index, boxes, scores, slot_first, slot_label, slot_frame, first, target, iou)


@njit(cache=True)
def box_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return the IoU of two boxes (4,), xyxy; 0 for boxes without area."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    inside = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside
    return inside / union


@njit(cache=True)
def _find_links(
    boxes: np.ndarray,
    slot_first: np.ndarray,
    slot_label: np.ndarray,
    slot_frame: np.ndarray,
    min_iou: float,
    max_gap: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the links of each box begin (B + 1,), their targets and IoU."""
    num_slots, pairs = len(slot_label), 0
    stops = np.empty(num_slots, np.int64)
    stop = 0  # slot behind the last one that links of a slot may lead to
    for slot in range(num_slots):
        label, last_frame = slot_label[slot], slot_frame[slot] + max_gap + 1
        while stop < num_slots and slot_label[stop] == label and slot_frame[stop] <= last_frame:
            stop += 1
        stops[slot] = slot_first[stop]
        pairs += (slot_first[slot + 1] - slot_first[slot]) * (slot_first[stop] - slot_first[slot + 1])
    first = np.zeros(len(boxes) + 1, np.int64)
    target, ious = np.empty(pairs, np.int32), np.empty(pairs, np.float64)
    num = 0
    for slot in range(num_slots):
        for i in range(slot_first[slot], slot_first[slot + 1]):
            for j in range(slot_first[slot + 1], stops[slot]):
                iou = box_iou(boxes[i], boxes[j])
                if iou >= min_iou:
                    target[num], ious[num] = j, iou
                    num += 1
            first[i + 1] = num
    return first, target[:num].copy(), ious[:num].copy()
