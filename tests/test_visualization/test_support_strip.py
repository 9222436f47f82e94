# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest

from mmrdn.visualization.support_strip import (
    MISSING,
    StripLayout,
    Support,
    crop_around,
    draw_strip,
    format_offset,
    format_weight,
)

GREEN = (0, 255, 0)


def tiles(strip, layout):
    """The crops of a strip, from left to right."""
    top = strip.shape[0] - layout.margin - layout.tile
    lefts = [layout.left + i * (layout.tile + layout.margin) for i in range(layout.num_tiles)]
    return [strip[top : top + layout.tile, left : left + layout.tile] for left in lefts]


@pytest.mark.parametrize('size', [(128, 160), (1080, 1920), (96, 40), (1920, 1080)])
def test_tiles_fit_below_the_image(size):
    layout = StripLayout(*size, num_supports=5)
    used = layout.num_tiles * (layout.tile + layout.margin) - layout.margin
    assert 1 <= layout.num_tiles <= 6
    assert 0 <= layout.left and layout.left + used <= size[1]
    assert layout.tile <= size[0] // 4
    assert layout.height < 0.7 * size[0]


def test_crops_come_from_the_frames_of_their_offsets():
    """Frames of one color each: 100 + 10 times their offset."""
    layout = StripLayout(240, 320, num_supports=3)
    images = {t: np.full((240, 320, 3), 100 + 10 * t, np.uint8) for t in range(-3, 4)}
    supports = [
        Support(-3, (100, 100, 140, 140), 0.2),
        Support(0, (100, 80, 140, 100), 0.1),
        Support(2, (150, 100, 180, 130), 0.05),
    ]
    strip = draw_strip(layout, ('one', '0.90'), (images[1], (10, 10, 50, 50)), GREEN, supports, images)
    assert strip.shape == (layout.height, 320, 3)
    crops = tiles(strip, layout)
    for crop, offset in zip(crops, (1, -3, 0, 2)):
        gray = crop[(crop == crop[..., :1]).all(2)][:, 0]
        assert np.bincount(gray).argmax() == 100 + 10 * offset
        assert (crop == GREEN).all(2).any()
    assert (crops[0][0] == 255).all()  # the detection has a white frame
    bars = [(crop[-1] == GREEN).all(1).sum() for crop in crops[1:]]
    assert bars == [layout.tile, round(layout.tile / 2), round(layout.tile / 4)]


def test_missing_frame_stays_gray():
    layout = StripLayout(240, 320, num_supports=2)
    image = np.zeros((240, 320, 3), np.uint8)
    strip = draw_strip(
        layout, ('one', '0.90'), (image, (10, 10, 50, 50)), GREEN, [Support(-9, (0, 0, 9, 9), 0.0)], {0: image}
    )
    _, crop, empty = tiles(strip, layout)
    assert (crop[:-4] == MISSING).all() and (empty == 32).all()


def test_crop_has_the_box_in_its_middle():
    """20 x 10 pixels at (50, 40): a crop of 40 x 40 from (40, 25)."""
    image = np.zeros((100, 120, 3), np.uint8)
    image[..., 0] = np.arange(120)  # blue counts columns, red rows
    image[..., 2] = np.arange(100)[:, None]
    crop = crop_around(image, (50, 40, 70, 50), 40, (1, 2, 3))
    assert (crop[0, 0] == image[25, 40]).all()
    assert (crop[39, 39] == image[64, 79]).all()
    for y, x in ((15, 10), (25, 30), (20, 10), (25, 20)):
        assert (crop[y, x] == (1, 2, 3)).all()


@pytest.mark.parametrize(
    'box, in_crop, in_image',
    [
        ((0, 0, 20, 10), (39, 39), (39, 39)),
        ((110, 95, 130, 110), (0, 0), (60, 80)),
        ((-500, -500, 900, 900), (20, 20), (51, 71)),
        ((60, 50, 60, 50), (0, 0), (42, 52)),
    ],
)
def test_crop_stays_in_the_image(box, in_crop, in_image):
    """As large as the image at most, and 16 pixels at least."""
    image = np.zeros((100, 120, 3), np.uint8)
    image[..., 0] = np.arange(120)
    image[..., 2] = np.arange(100)[:, None]
    crop = crop_around(image, box, 40, (1, 255, 3))
    assert crop.shape == (40, 40, 3)
    apart = crop[in_crop].astype(int) - image[in_image]
    assert np.abs(apart).max() <= 1


def test_titles():
    offsets = [format_offset(t) for t in (0, -7, 3)]
    weights = [format_weight(w) for w in (0.187, 0.0949, 0.0996, 0.00612, 1.0)]
    assert offsets == ['t', 't-7', 't+3']
    assert weights == ['19%', '9.5%', '10%', '0.6%', '100%']
