# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmrdn.structures import FrameDetections
from mmrdn.utils.boxes import paired_ious


def frame_disagreement(frames: Sequence[FrameDetections]) -> list[float]:
    """Compute how much the detections of each frame differ from those of its neighbors.

    Two frames agree as far as their boxes find partners: ``2 sum min(s, s') IoU / (sum s + sum s')``
    over the pairs of boxes of one class for which this is largest, with scores s. A frame without
    boxes agrees with another one without. Where objects move a few pixels a frame, high values are
    objects that were lost, found twice or taken for another class: frames worth labeling first.

    Args:
        frames (Sequence[FrameDetections]): Frames of a video in order.

    Returns:
        list[float]: For each frame, in [0, 1], one less the mean agreement with the frames beside it;
        0 for a video of one frame.
    """
    between = [1 - _agreement(one, other) for one, other in zip(frames, frames[1:])]
    neighbors = [between[max(i - 1, 0) : i + 1] for i in range(len(frames))]
    return [float(np.mean(values)) if values else 0.0 for values in neighbors]


def _agreement(one: FrameDetections, other: FrameDetections) -> float:
    """Return the agreement of two frames, in [0, 1]."""
    total = float(one.scores.sum() + other.scores.sum())
    if not total:
        return 1.0
    shape = (len(one), len(other))
    rows, columns = (indices.ravel() for indices in np.indices(shape))
    ious = paired_ious(one.bboxes[rows], other.bboxes[columns]) * (one.labels[rows] == other.labels[columns])
    gains = (ious * np.minimum(one.scores[rows], other.scores[columns])).reshape(shape)
    return float(2 * gains[linear_sum_assignment(gains, maximize=True)].sum() / total)
