# Copyright (c) mmrdn contributors. All rights reserved.
"""Precision and recall over the score, of each class. Plain numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmrdn.evaluation.functional.matching import match_frames
from mmrdn.structures import FrameAnnotations, FrameDetections


@dataclass(frozen=True)
class PrecisionRecall:
    """Curve of a class: a point for each of its n detections, by descending score.

    Attributes:
        scores (np.ndarray): (n,), lowest score that counts at a point.
        precision (np.ndarray): (n,), share of right detections among those that count.
        recall (np.ndarray): (n,), share of the ground truth that they find, NaN if there is none.
        num_gt (int): Number of ground-truth boxes.
    """

    scores: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    num_gt: int

    @property
    def average_precision(self) -> float:
        """float: Area under the interpolated curve, NaN without ground truth."""
        if self.num_gt == 0:
            return float('nan')
        return float(np.diff(self.recall, prepend=0.0) @ self._envelope)

    @property
    def _envelope(self) -> np.ndarray:
        """Largest precision at each recall or beyond, (n,)."""
        return np.maximum.accumulate(self.precision[::-1])[::-1]

    def at(self, recalls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the interpolated curve.

        Args:
            recalls (np.ndarray): (k,), from 0 to 1.

        Returns:
            tuple[np.ndarray, np.ndarray]: Precision (k,), 0 where the recall is never reached, and
            the score (k,) at which it is, NaN where it never is.
        """
        # Rounding apart, a recall of 3 / 10 is that of the third of ten.
        inds = np.searchsorted(self.recall, recalls - 1e-9)
        precision = np.append(self._envelope, 0.0)[inds]
        return precision, np.append(self.scores, np.nan)[inds]


def curve_of(scores: np.ndarray, true_pos: np.ndarray, false_pos: np.ndarray, num_gt: int) -> PrecisionRecall:
    """Return the curve of a class.

    Args:
        scores (np.ndarray): (n,), in descending order.
        true_pos (np.ndarray): (n,), 1 for a true positive.
        false_pos (np.ndarray): (n,), weight as a false positive.
        num_gt (int): Number of ground-truth boxes.
    """
    found = np.cumsum(true_pos)
    seen = found + np.cumsum(false_pos)
    precision = np.divide(found, seen, out=np.zeros_like(seen), where=seen > 0)
    recall = found / num_gt if num_gt else np.full(len(found), np.nan)
    return PrecisionRecall(scores, precision, recall, int(num_gt))


def precision_recall(
    detections: Sequence[FrameDetections | dict],
    annotations: Sequence[FrameAnnotations | dict],
    num_classes: int,
    iou_thr: float = 0.5,
    pixel_tolerance: float = 10,
) -> list[PrecisionRecall]:
    """Return the curve of each class, whose area is the AP of :func:`vid_map`.

    Args:
        detections (Sequence[FrameDetections | dict]): Detections of F frames, as in :func:`vid_map`.
        annotations (Sequence[FrameAnnotations | dict]): Ground truth of the same frames; those that
            nobody annotated are left out.
        num_classes (int): Number of classes.
        iou_thr (float): See :func:`vid_map`.
        pixel_tolerance (float): See :func:`vid_map`.

    Raises:
        ValueError: The frames do not fit together, or a label is no class.
    """
    dets, gts, matches = match_frames(detections, annotations, num_classes, iou_thr, pixel_tolerance)
    order = np.argsort(-dets['scores'], kind='stable')
    curves = []
    for label, num_gt in enumerate(np.bincount(gts['labels'], minlength=num_classes)):
        inds = order[dets['labels'][order] == label]
        right = (matches[inds] >= 0).astype(np.float64)
        curves.append(curve_of(dets['scores'][inds], right, 1 - right, num_gt))
    return curves
