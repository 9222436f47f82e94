# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from helpers.videos import noise, write_mp4


@pytest.fixture
def clip(tmp_path):
    """8 frames, not at a constant rate."""
    times = [0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 1.5]
    return write_mp4(tmp_path / 'clip.mp4', noise(8), times), times
