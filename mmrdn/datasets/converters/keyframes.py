# Copyright (c) mmrdn contributors. All rights reserved.
"""Few keyframes for many boxes: the inverse of interpolation."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from mmrdn.datasets.converters.annotated_video import Track, TrackBox
from mmrdn.utils.boxes import paired_ious


def thin_track(track: Track, num_frames: int, min_iou: float = 0.9) -> Track:
    """Keep the boxes of a track that the others follow from.

    In each run of frames without a gap, a keyframe is followed by the farthest one such that every
    box between them has an IoU of at least ``min_iou`` with the mixture of the two. Behind a run that
    ends before the video does, a box ``outside`` marks that. :func:`fill_track` gives a box in the same
    frames again.

    Args:
        track (Track): Track with a box, not rotated, in every frame in which its object is in sight.
        num_frames (int): Length of the video.
        min_iou (float): Lowest IoU of a box that is left out with the one that replaces it.

    Returns:
        Track: The same object with fewer boxes, all of them keyframes.
    """
    boxes = sorted(track.boxes, key=lambda box: box.frame)
    ends = [i for i, (one, other) in enumerate(pairwise(boxes)) if other.frame != one.frame + 1]
    kept: list[TrackBox] = []
    for first, last in zip([0, *(i + 1 for i in ends)], [*ends, len(boxes) - 1]):
        run = boxes[first : last + 1]
        corners = np.array([box.box for box in run], float)
        kept += (replace(run[i], keyframe=True, interpolated=False) for i in choose_keyframes(corners, min_iou))
        if run and run[-1].frame + 1 < num_frames:
            kept.append(replace(kept[-1], frame=run[-1].frame + 1, outside=True))
    return replace(track, boxes=kept)


def choose_keyframes(boxes: np.ndarray, min_iou: float) -> list[int]:
    """Return the indices of the keyframes of consecutive frames, the first and the last among them.

    Args:
        boxes (np.ndarray): (n, 4) xyxy in pixels.
        min_iou (float): See :func:`thin_track`.
    """
    chosen = list(range(min(1, len(boxes))))
    while chosen and chosen[-1] < len(boxes) - 1:
        start, end = chosen[-1], chosen[-1] + 1
        while end + 1 < len(boxes) and _follow(boxes[start : end + 2], min_iou):
            end += 1
        chosen.append(end)
    return chosen


def _follow(boxes: np.ndarray, min_iou: float) -> bool:
    """Return whether the boxes between the first and the last follow from these two."""
    shares = np.linspace(0, 1, len(boxes))[1:-1, None]
    mixtures = boxes[0] + (boxes[-1] - boxes[0]) * shares  # (n - 2, 4)
    return bool((paired_ious(mixtures, boxes[1:-1]) >= min_iou).all())
