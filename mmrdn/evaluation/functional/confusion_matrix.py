# Copyright (c) mmrdn contributors. All rights reserved.
"""Which classes a detector takes for which. Plain numpy."""

from collections.abc import Sequence

import numpy as np

from mmrdn.evaluation.functional.matching import match_boxes, match_frames
from mmrdn.structures import FrameAnnotations, FrameDetections


def confusion_matrix(
    detections: Sequence[FrameDetections],
    annotations: Sequence[FrameAnnotations],
    num_classes: int,
    score_thr: float = 0.5,
    iou_thr: float = 0.5,
    pixel_tolerance: float = 10,
) -> np.ndarray:
    """Count ground truth by its class and by the class of its detection.

    Detections first match ground truth of their class, as in :func:`vid_map`. Those that are left
    then match what is left of any class in the same way. Each box counts once, so a row sums to the
    ground truth of its class and a column to the detections of its class.

    Args:
        detections (Sequence[FrameDetections]): Detections of F frames.
        annotations (Sequence[FrameAnnotations]): Ground truth of the same frames; those that nobody
            annotated are left out.
        num_classes (int): C, number of classes.
        score_thr (float): Lowest score of a detection that counts.
        iou_thr (float): See :func:`vid_map`.
        pixel_tolerance (float): See :func:`vid_map`.

    Returns:
        np.ndarray: (C + 1, C + 1) integers, a row for each true class, a column for each detected
        one. The last row counts detections of nothing, the last column ground truth that was missed.

    Raises:
        ValueError: The frames do not fit together, or a label is no class.
    """
    detections = [frame.above(score_thr) for frame in detections]
    dets, gts, matches = match_frames(detections, annotations, num_classes, iou_thr, pixel_tolerance)
    is_free = np.ones(len(gts['labels']), dtype=bool)
    is_free[matches[matches >= 0]] = False
    # One class for all that is left; -1 and -2 match nothing.
    rest = dict(dets, labels=np.where(matches < 0, 0, -1)), dict(gts, labels=np.where(is_free, 0, -2))
    matches = np.maximum(matches, match_boxes(*rest, iou_thr, pixel_tolerance)[0])
    matrix = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    true_labels = np.append(gts['labels'], num_classes)  # -1 reads the last: nothing
    np.add.at(matrix, (true_labels[matches], dets['labels']), 1)
    is_missed = np.ones(len(gts['labels']), dtype=bool)
    is_missed[matches[matches >= 0]] = False
    np.add.at(matrix, (gts['labels'][is_missed], num_classes), 1)
    return matrix
