# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.own_videos.frame_disagreement import frame_disagreement
from mmrdn.structures import FrameDetections


def frame(*detections):
    """Detections (x, score, label) of 10 by 10 pixels."""
    return FrameDetections(
        bboxes=[[x, 0.0, x + 10.0, 10.0] for x, *_ in detections],
        scores=[score for _, score, _ in detections],
        labels=[label for *_, label in detections],
    )


def test_an_object_that_is_lost_for_a_frame():
    """The frame without it disagrees with both neighbors, these with it alone."""
    seen, lost = frame((0, 0.8, 0)), frame()
    assert frame_disagreement([seen, seen, lost, seen, seen]) == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_values_by_hand():
    # IoU of two boxes 5 pixels apart is 1 / 3, of 2.5 pixels apart 7.5 / 12.5 = 0.6.
    assert frame_disagreement([frame((0, 0.6, 0)), frame((5, 0.9, 0))]) == pytest.approx([1 - 2 * 0.2 / 1.5] * 2)
    # Of two ways to pair, 0.6 with 0 and 0.6 with 1/3, the larger sum counts.
    pair = [frame((0, 1, 0), (5, 1, 0)), frame((2.5, 1, 0), (100, 1, 0))]
    assert frame_disagreement(pair) == pytest.approx([1 - 2 * 0.6 / 4] * 2)


def test_classes_are_no_partners_and_empty_frames_agree():
    assert frame_disagreement([frame((0, 0.5, 0)), frame((0, 0.5, 1))]) == [1, 1]
    assert frame_disagreement([frame(), frame(), frame()]) == [0, 0, 0]
    assert frame_disagreement([frame((0, 0.5, 0))]) == [0]
    assert frame_disagreement([]) == []
