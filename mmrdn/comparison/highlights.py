# Copyright (c) mmrdn contributors. All rights reserved.
"""Finding the frames in which one detector is ahead of another."""

from collections.abc import Sequence

import numpy as np

from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.utils.boxes import paired_ious


def count_right(detections: FrameDetections, truth: FrameAnnotations) -> int:
    """Count the objects found with the right class at IoU 0.5, less the false alarms; 0 if not annotated."""
    if truth.is_left_out:
        return 0
    right, taken = 0, set()
    for i in np.argsort(-detections.scores):
        ious = paired_ious(detections.bboxes[i : i + 1], truth.bboxes)
        hits = np.flatnonzero((ious >= 0.5) & (truth.labels == detections.labels[i]))
        free = [j for j in hits.tolist() if j not in taken]
        taken.update(free[:1])
        right += 1 if free else -1
    return right


def gains_of(frames: Sequence[dict], first: str, second: str) -> list[int]:
    """Return by how many objects a detector is ahead of another in each frame, see :func:`count_right`.

    Args:
        frames (Sequence[dict]): Frames as :func:`mmrdn.comparison.prediction_comparison.load_results`
            returns them.
        first (str): Name of the one.
        second (str): Name of the other, which may be ahead.
    """
    return [
        count_right(frame['found'][second], frame['truth']) - count_right(frame['found'][first], frame['truth'])
        for frame in frames
    ]


def highlight(frames: Sequence[dict], length: int) -> Sequence[dict]:
    """Return the frames in a row of one video in which the last detector is most ahead of the first.

    Args:
        frames (Sequence[dict]): As of :func:`gains_of`, those of a video together.
        length (int): Number of frames.

    Raises:
        ValueError: There is one detector, or no video is that long.
    """
    names = list(frames[0]['found'])
    if len(names) < 2:
        raise ValueError(f'a highlight needs two detectors or more, got {", ".join(names)}')
    sums = np.cumsum([0, *gains_of(frames, names[0], names[-1])])
    starts = [i for i in range(len(frames) - length + 1) if frames[i]['video'] == frames[i + length - 1]['video']]
    if not starts:
        raise ValueError(f'no video has {length} frames')
    best = max(starts, key=lambda i: sums[i + length] - sums[i])
    return frames[best : best + length]
