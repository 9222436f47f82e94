# Copyright (c) mmrdn contributors. All rights reserved.
"""The runtime prepares frames as the test pipeline does."""

import numpy as np
import pytest

import helpers.exported  # noqa: F401  (puts the runtime on the path)
from helpers.videos import noise, tiny_inferencer
from mmrdn.datasets.transforms import ShorterSideResize
from mmrdn_runtime.frame_preprocessor import FramePreprocessor
from mmrdn_runtime.resizing import shorter_side

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
PREPROCESS = FramePreprocessor([96, 72], MEAN, STD, True, 16, 0.0)


@pytest.mark.parametrize('size', [(48, 64), (60, 44), (200, 333), (1, 9)])
def test_as_the_pipeline(size):
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    stream = tiny_inferencer().open_stream()
    expected, (sample,) = stream.to_batch(stream.prepare(frame))
    found, new_size, factors = PREPROCESS(frame, 'frame 0')
    assert new_size == sample.img_shape
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(factors[:2], sample.scale_factor, rtol=1e-6)


@pytest.mark.parametrize('size', [(48, 64), (64, 48), (720, 1280), (30, 200), (72, 96)])
def test_shorter_side(size):
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = ShorterSideResize(shorter=72, longest=96).transform(dict(img=frame))['img']
    np.testing.assert_array_equal(shorter_side(frame, [96, 72]), expected)


@pytest.mark.parametrize(
    ('frame', 'message'),
    [
        (None, r'frame 3 must be a \(H, W, 3\) uint8 array, got a NoneType'),
        (noise(1)[0].astype(float), r'frame 3 must be .* got \(48, 64, 3\) float64'),
        (np.zeros((1, 999, 3), np.uint8), r'frame 3, 999x1: nothing is left of it at the scale \(96, 72\)'),
    ],
)
def test_wrong_frames(frame, message):
    with pytest.raises(ValueError, match=message):
        PREPROCESS(frame, 'frame 3')
