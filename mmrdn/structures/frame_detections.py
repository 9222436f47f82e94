# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmrdn.structures.frame import Frame


@dataclass
class FrameDetections:
    """What was found in a frame, as files hold it.

    Attributes:
        frame (Frame): The frame; its image is not read.
        width (int): Of the frame, pixels.
        height (int): Of the frame, pixels.
        bboxes (np.ndarray): (n, 4) xyxy in pixels.
        scores (np.ndarray): (n,).
        labels (np.ndarray): (n,) places in the list of classes.
        track_ids (np.ndarray, optional): (n,) tubes, -1 for none; None where nothing linked the
            boxes.

    Raises:
        ValueError: A box or score is NaN or infinite; names the frame.
    """

    frame: Frame
    width: int
    height: int
    bboxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    track_ids: np.ndarray | None = None

    def __post_init__(self) -> None:
        for field in ('bboxes', 'scores'):
            if not np.isfinite(getattr(self, field)).all():
                raise ValueError(f'frame {self.frame.index}: {field} must be finite, got NaN or inf')

    def __iter__(self) -> Iterator[tuple[list, float, int, int | None]]:
        """Box, score, label and tube (None if not known) of each."""
        tracks = [-1] * len(self.scores)
        if self.track_ids is not None:
            tracks = self.track_ids.tolist()
        for box, score, label, track in zip(self.bboxes.tolist(), self.scores.tolist(), self.labels.tolist(), tracks):
            yield box, score, label, track if track >= 0 else None
