# Copyright (c) mmrdn contributors. All rights reserved.
import torch

from helpers import mega
from mmrdn.models import RoundedAnchorGenerator

# Anchors of Faster R-CNN (Ren et al.) for scales 8, 16 and 32 as they are published, in pixels that
# count from 0.
PUBLISHED = [
    [-84, -40, 99, 55],
    [-176, -88, 191, 103],
    [-360, -184, 375, 199],
    [-56, -56, 71, 71],
    [-120, -120, 135, 135],
    [-248, -248, 263, 263],
    [-36, -80, 51, 95],
    [-80, -168, 95, 183],
    [-168, -344, 183, 359],
]


def generator(scales, **kwargs):
    return RoundedAnchorGenerator(strides=[16], scales=scales, ratios=[0.5, 1.0, 2.0], **kwargs)


def test_published_anchors():
    (anchors,) = generator([8, 16, 32]).base_anchors
    assert anchors.tolist() == PUBLISHED


def test_with_64_pixels():
    """23 x 12, 16 x 16 and 11 x 22 pixels, four times as large."""
    (anchors,) = generator([4, 8, 16, 32]).base_anchors
    assert anchors[::4].tolist() == [[-38, -16, 53, 31], [-24, -24, 39, 39], [-14, -36, 29, 51]]
    expected = torch.tensor(mega.anchors(), dtype=torch.float32)
    assert torch.equal(anchors, expected)


def test_places_and_order():
    """Columns before rows, all anchors of a cell together."""
    (priors,) = generator([8, 16, 32]).grid_priors([(2, 3)], device='cpu')
    assert priors.shape == (2 * 3 * 9, 4)
    assert priors[9].tolist() == [-84 + 16, -40, 99 + 16, 55]
    assert priors[3 * 9 + 1].tolist() == [-176, -88 + 16, 191, 103 + 16]


def test_ratios_first():
    (anchors,) = generator([8, 16, 32], scale_major=False).base_anchors
    assert anchors.tolist() == PUBLISHED[::3] + PUBLISHED[1::3] + PUBLISHED[2::3]
