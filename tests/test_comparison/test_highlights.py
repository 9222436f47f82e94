# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest

from mmrdn.comparison.highlights import gains_of, highlight
from mmrdn.structures import FrameAnnotations, FrameDetections

BOX = [[10.0, 10.0, 30.0, 30.0]]


def frame(video, a, b):
    """A frame with an object that detector A finds or not, and B; 'false' for a box elsewhere."""
    found = {}
    for name, outcome in (('A', a), ('B', b)):
        boxes = BOX if outcome is True else [[50.0, 50.0, 60.0, 60.0]] if outcome == 'false' else []
        found[name] = FrameDetections(
            bboxes=np.reshape(boxes, (-1, 4)), scores=np.ones(len(boxes)), labels=np.zeros(len(boxes), int)
        )
    return dict(video=video, truth=FrameAnnotations(bboxes=BOX, labels=[0], instance_ids=[1]), found=found)


def test_the_frames_in_which_the_last_is_most_ahead():
    """The best two in a row, 1 + 2, would cross from video 1 to video 2."""
    rows = [(1, True, True), (1, True, False), (1, False, True), (2, 'false', True), (2, True, True), (2, False, True)]
    frames = [frame(*row) for row in rows]
    assert gains_of(frames, 'A', 'B') == [0, -1, 1, 2, 0, 1]
    assert highlight(frames, 2) == frames[3:5]
    assert highlight(frames, 3) == frames[3:6]
    assert highlight(frames, 1) == frames[3:4]
    with pytest.raises(ValueError, match='^no video has 4 frames$'):
        highlight(frames, 4)
    with pytest.raises(ValueError, match='^a highlight needs two detectors or more, got A$'):
        highlight([dict(frames[0], found=dict(A=frames[0]['found']['A']))], 1)
