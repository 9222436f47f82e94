# Copyright (c) mmrdn contributors. All rights reserved.
"""Detections to be written."""

import numpy as np

from mmrdn.structures import FrameDetections

BOXES = np.array([[1, 2, 11.5, 22], [0, 0, 3, 4]], np.float32)


def found(index, track_ids=None, name=''):
    """Two detections in a frame of 64 x 48."""
    return FrameDetections(
        frame_id=index,
        time=index / 4,
        file_name=name,
        width=64,
        height=48,
        bboxes=BOXES,
        scores=np.array([0.5, 0.25], np.float32),
        labels=np.array([2, 0]),
        track_ids=track_ids,
    )


def nothing(index):
    return FrameDetections(frame_id=index, time=index / 4, width=64, height=48, bboxes=[], scores=[], labels=[])
