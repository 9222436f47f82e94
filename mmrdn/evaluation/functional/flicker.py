# Copyright (c) mmrdn contributors. All rights reserved.
"""Flicker: how much of an object's track is lost between frames in which it is found. Plain numpy."""

from collections.abc import Sequence

import numpy as np

from mmrdn.evaluation.functional.matching import match_frames
from mmrdn.structures import FrameAnnotations, FrameDetections


def flicker(
    detections: Sequence[FrameDetections],
    annotations: Sequence[FrameAnnotations],
    num_classes: int,
    score_thr: float = 0.5,
    iou_thr: float = 0.5,
    pixel_tolerance: float = 10,
) -> dict[str, float]:
    """Share of ground-truth boxes that are lost between two frames in which their object is found.

    A ground-truth box is *found* if a detection with a score of at least ``score_thr`` matches it as
    in :func:`vid_map`: same class, IoU at its threshold, each box taken once, by descending score. It
    is *lost between* if it is not found, but its object (``instance_ids`` of its video) is found in
    some earlier frame and in some later one. A gap of any length counts each of its boxes. What is
    missed before an object is found first, or after it is found last, is no flicker, nor are frames
    in which the object has no box. Both figures are shares of all ground-truth boxes, so a detector
    that finds nothing has the flicker 0: read it beside ``found``.

    Args:
        detections (Sequence[FrameDetections]): Detections of F frames.
        annotations (Sequence[FrameAnnotations]): Ground truth of the same frames, with ``video_id``,
            ``frame_id`` and ``instance_ids`` (a box without one is a separate object); frames
            that were not annotated are left out.
        num_classes (int): Number of classes.
        score_thr (float): Lowest score of a detection that finds.
        iou_thr (float): See :func:`vid_map`.
        pixel_tolerance (float): See :func:`vid_map`.

    Returns:
        dict[str, float]: ``flicker`` and ``found``, from 0 to 1; NaN without ground truth.

    Raises:
        ValueError: The frames do not fit together, or a label is no class.
    """
    detections = [frame.above(score_thr) for frame in detections]
    _, gts, matches = match_frames(detections, annotations, num_classes, iou_thr, pixel_tolerance)
    found = np.zeros(len(gts['labels']), dtype=bool)
    found[matches[matches >= 0]] = True
    if not len(found):
        return dict(flicker=float('nan'), found=float('nan'))
    known = [frame for frame in annotations if not frame.is_left_out]
    lost = sum(_lost_between(found[track]) for track in _tracks(known))
    return dict(flicker=lost / len(found), found=float(found.mean()))


def _lost_between(found: np.ndarray) -> int:
    """Return how many boxes of a track, in the order of time, are not found between the first and the last that are."""
    inds = np.flatnonzero(found)
    return int(inds[-1] - inds[0] + 1 - len(inds)) if len(inds) else 0


def _tracks(annotations: Sequence[FrameAnnotations]) -> list[np.ndarray]:
    """Return the boxes of each object in the order of time, as indices into all boxes."""
    boxes: dict[tuple, list[tuple[int, int]]] = {}
    number = 0
    for frame in annotations:
        for instance_id in frame.instance_ids or [None] * len(frame):
            key = (frame.video_id, instance_id) if instance_id is not None else (None, None, number)
            boxes.setdefault(key, []).append((frame.frame_id or 0, number))
            number += 1
    return [np.array([box for _, box in sorted(track)]) for track in boxes.values()]
