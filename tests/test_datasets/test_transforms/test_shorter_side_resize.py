# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
from PIL import Image

from mmrdn.datasets import ShorterSideResize


@pytest.mark.parametrize(
    'size, expected',
    [
        ((500, 375), (800, 600)),
        ((1280, 720), (999, 562)),  # 562.5 to even; 999.1
        ((720, 1280), (562, 999)),
        ((640, 480), (800, 600)),
        ((320, 241), (796, 600)),  # 796.7, cut
        ((600, 600), (600, 600)),
        ((600, 1000), (600, 1000)),
        ((3000, 2), (1500, 1)),  # 0.67 rounds to 1; the longer side follows
    ],
)
def test_sizes(size, expected):
    assert ShorterSideResize(600, 1000).new_size(*size) == expected


def test_no_side_vanishes():
    assert ShorterSideResize(600, 1000).new_size(5000, 1) == (5000, 1)


def test_pixels_boxes_and_factors():
    image = np.random.default_rng(0).integers(0, 256, (241, 320, 3), np.uint8)
    boxes = np.array([[10.0, 20.0, 100.0, 200.0]], np.float32)
    results = ShorterSideResize(120, 1000)(dict(img=image, gt_bboxes=boxes))
    assert results['img_shape'] == (120, 159)
    for channel in range(3):  # as Pillow does it
        expected = Image.fromarray(image[..., channel]).resize((159, 120), Image.BILINEAR)
        assert np.array_equal(results['img'][..., channel], expected)
    factors = (159 / 320, 120 / 241)
    assert results['scale_factor'] == pytest.approx(factors)
    np.testing.assert_allclose(
        results['gt_bboxes'], [[10 * factors[0], 20 * factors[1], 100 * factors[0], 200 * factors[1]]], rtol=1e-6
    )


def test_lengths_are_checked():
    with pytest.raises(ValueError, match='^shorter must be 1 pixel or more, got 0$'):
        ShorterSideResize(0, 1000)
