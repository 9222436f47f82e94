# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation weights that recorders of a model keep with the detections of a frame, as arrays.

Legend: n detections of the frame, k of them with weights, K supports of the next frame, S supports
kept of each detection.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class NextFrameWeights:
    """Mean attention weights to the supports of the next frame: see ``NextFrameRelations``.

    Attributes:
        support_inds (np.ndarray): (n,) index of each detection's proposal among the supports of its
            own frame, -1 for none.
        detection_inds (np.ndarray): (k,) detections whose weights were kept.
        weights (np.ndarray): (k, K).
        next_frame_id (int, optional): Frame that the supports are of.
    """

    support_inds: np.ndarray
    detection_inds: np.ndarray
    weights: np.ndarray
    next_frame_id: int | None


@dataclass(frozen=True, eq=False)
class SupportWeights:
    """Supports with the largest mean attention weights: see ``TopSupports``.

    Attributes:
        detection_inds (np.ndarray): (k,) detections, ascending.
        frame_offsets (np.ndarray): (k, S) frames from the detection's frame to the support's.
        bboxes (np.ndarray): (k, S, 4) xyxy in pixels.
        weights (np.ndarray): (k, S), descending.
    """

    detection_inds: np.ndarray
    frame_offsets: np.ndarray
    bboxes: np.ndarray
    weights: np.ndarray

    def select(self, keep: np.ndarray) -> 'SupportWeights':
        """Return the supports of those detections that are kept, renumbered.

        Args:
            keep (np.ndarray): (n,) bool.
        """
        rows = keep[self.detection_inds]
        inds = (np.cumsum(keep) - 1)[self.detection_inds[rows]]
        return SupportWeights(inds, self.frame_offsets[rows], self.bboxes[rows], self.weights[rows])
