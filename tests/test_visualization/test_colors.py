# Copyright (c) mmrdn contributors. All rights reserved.
import itertools

import cv2
import numpy as np
import pytest

from mmrdn.visualization.colors import class_color, text_color


def test_thirty_colors_are_far_apart():
    """Any two of them, in CIE Lab; 2.3 is a just noticeable difference."""
    bgr = np.float32([class_color(i) for i in range(30)]) / 255
    lab = cv2.cvtColor(bgr[None], cv2.COLOR_BGR2Lab)[0]
    apart = [np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)]
    assert len(apart) == 435 and min(apart) > 35
    assert lab[:, 0].min() > 30  # none is almost black


def test_colors_stay_and_come_again():
    assert class_color(0) == (0x5A, 0x69, 0xFF)  # blue first
    assert [class_color(i) for i in range(30, 60)] == [class_color(i) for i in range(30)]


@pytest.mark.parametrize(
    'ground, expected',
    [
        ((255, 255, 255), 0),
        ((0, 0, 0), 255),
        ((0, 255, 0), 0),
        ((255, 0, 0), 255),
        ((0, 0, 255), 0),
        ((255, 0, 105), 255),
    ],
)
def test_text_has_contrast(ground, expected):
    assert text_color(ground) == (expected,) * 3
