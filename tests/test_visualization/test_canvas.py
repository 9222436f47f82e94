# Copyright (c) mmrdn contributors. All rights reserved.
import itertools

import cv2
import numpy as np
import pytest

from mmrdn.visualization.canvas import class_color, panel_margin, text_color, title_height, titled_panels


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


def test_panels_stand_side_by_side():
    panels = [np.full((20, 100, 3), value, np.uint8) for value in (50, 200)]
    row = titled_panels(panels, ['a', 'b' * 100])
    top, margin = title_height(20, 100), panel_margin(20, 100)
    assert row.shape == (20 + top, 2 * (100 + margin) + margin, 3)
    right = 100 + 2 * margin
    assert (row[top:, margin : 100 + margin] == 50).all()
    assert (row[top:, right : right + 100] == 200).all()
    assert row[:top, margin : margin + 20].max() > 200  # a title each, and
    assert row[:top, right : right + 20].max() > 200  # none beyond its panel
    assert (row[:, right + 100 :] == 32).all()
