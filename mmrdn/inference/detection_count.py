# Copyright (c) mmrdn contributors. All rights reserved.
import warnings

from mmrdn.structures import FrameDetections


class DetectionCount:
    """How many detections of a video reach a threshold, and how far off they are if none does.

    Args:
        score_thr (float): The threshold.

    Attributes:
        num_frames (int): Number of frames.
        num_detections (int): Number of detections that reach it.
        highest_score (float, optional): Highest score of a detection, whether it does or not; None
            without detections.
    """

    def __init__(self, score_thr: float) -> None:
        self.score_thr = score_thr
        self.num_frames = self.num_detections = 0
        self.highest_score: float | None = None

    def add(self, detections: FrameDetections) -> FrameDetections:
        """Count those of a frame; return a copy with the ones that reach the threshold."""
        kept = detections.above(self.score_thr)
        self.num_frames += 1
        self.num_detections += len(kept)
        if len(detections):
            highest = float(detections.scores.max())
            self.highest_score = highest if self.highest_score is None else max(highest, self.highest_score)
        return kept

    def warn_if_none(self, name: str) -> None:
        """Warn with the highest score if there were frames, but no detection reached the threshold.

        Args:
            name (str): What the warning is about.
        """
        if self.num_frames and not self.num_detections:
            highest = 'no detection at all' if self.highest_score is None else f'highest {self.highest_score:.2g}'
            warnings.warn(f'{name}: 0 detections above {self.score_thr:g}, {highest}')
