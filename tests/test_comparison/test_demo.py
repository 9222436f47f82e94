# Copyright (c) mmrdn contributors. All rights reserved.
import av
import cv2
import numpy as np
import pytest

from mmrdn.comparison.demo import write_images
from mmrdn.comparison.highlights import count_right
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.visualization.canvas import title_height


def detections(*rows):
    boxes = np.array([row[:4] for row in rows], float).reshape(-1, 4)
    return FrameDetections(bboxes=boxes, labels=[row[4] for row in rows], scores=[row[5] for row in rows])


TRUTH = FrameAnnotations(bboxes=[[0, 0, 10, 10], [20, 20, 40, 40]], labels=[1, 2])


@pytest.mark.parametrize(
    'found, expected',
    [
        ([], 0),
        ([(0, 0, 10, 10, 1, 0.9), (20, 20, 40, 40, 2, 0.8)], 2),
        ([(0, 0, 10, 10, 2, 0.9)], -1),  # wrong class
        ([(0, 0, 10, 5, 1, 0.9)], 1),  # IoU 0.5
        ([(0, 0, 10, 4.9, 1, 0.9)], -1),  # IoU 0.49
        ([(0, 0, 10, 10, 1, 0.9), (0, 0, 10, 10, 1, 0.8)], 0),  # found twice
    ],
)
def test_count_right_by_hand(found, expected):
    assert count_right(detections(*found), TRUTH) == expected


def test_only_confident_detections_are_drawn():
    kept = detections((0, 0, 9, 9, 1, 0.6), (0, 0, 5, 5, 0, 0.4)).above(0.5)
    assert kept.scores.tolist() == [0.6] and kept.labels.tolist() == [1]


@pytest.mark.parametrize('better', ['a', 'b', None])
def test_images_show_where_two_differ(tmp_path, better):
    """One row for the video with a difference, whichever way it goes.

    And one image all the same if there is none.
    """
    frames, right = [], detections((0, 0, 10, 10, 1, 0.9))
    wrong = detections((0, 0, 10, 10, 0, 0.9))
    for i in range(3):
        path = tmp_path / f'{i}.png'
        cv2.imwrite(str(path), np.zeros((40, 60, 3), np.uint8))
        found = {name: right if i or better in (None, name) else wrong for name in ('a', 'b')}
        frames.append(dict(path=str(path), video=i, truth=TRUTH, found=found))
    video, sheet = tmp_path / 'demo.mp4', tmp_path / 'demo.png'
    write_images(frames, ['x', 'y', 'z'], video, sheet)
    with av.open(str(video)) as container:
        assert len(list(container.decode(video=0))) == 3
    height = 2 * 40 + title_height(80, 120)  # one row at twice the size
    assert cv2.imread(str(sheet)).shape[0] == height
