# Copyright (c) mmrdn contributors. All rights reserved.
import io

import pytest

from helpers.videos import noise
from mmrdn.video import RawSource


class Pipe(io.BytesIO):
    """Hands over a few bytes at a time, as pipes do."""

    def readinto(self, target):
        return super().readinto(target[:7])


def test_raw_frames():
    frames = noise(3, (2, 5))
    source = RawSource((5, 2), Pipe(b''.join(f.tobytes() for f in frames)), fps=10)
    assert not source.rereadable and source.num_frames is None
    found = list(source)
    assert [f.time for f in found] == pytest.approx([0, 0.1, 0.2])
    for frame, image in zip(found, frames):
        assert (frame.image == image).all()
    with pytest.raises(ValueError, match='can be read once only'):
        list(source)


def test_raw_frames_cut_inside_one():
    """Whole frames are kept; if there is none, the size may be wrong."""
    pipe = Pipe(bytes(30 + 11))
    pipe.name = 'a pipe'
    source = RawSource((5, 2), pipe)
    with pytest.warns(UserWarning, match='a pipe ends inside frame 1: got 11 bytes, expected 30 for 5x2 BGR24') as told:
        assert len(list(source)) == 1
    assert len(told) == 1 and source.truncated
    with pytest.raises(ValueError, match='ends inside frame 0: got 29 bytes, expected'):
        list(RawSource((5, 2), Pipe(bytes(29))))


def test_no_raw_frames():
    with pytest.raises(ValueError, match='raw frames has no frames'):
        list(RawSource((5, 2), Pipe()))
