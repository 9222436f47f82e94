# Copyright (c) mmrdn contributors. All rights reserved.
import os

import av
import pytest

from helpers.videos import flat, read_mp4
from mmrdn.video import VideoWriter, open_source


@pytest.mark.parametrize('size', [(48, 64), (49, 65)])
def test_video_is_h264_that_browsers_play(tmp_path, size):
    """Frames come back in order and about as they were; odd sides grow."""
    levels, path = [40, 120, 200], tmp_path / 'out.mp4'
    with VideoWriter(path, fps=5) as writer:
        for value in levels:
            writer.write(flat(value, size))
    assert writer.num_frames == 3
    assert [p.name for p in tmp_path.iterdir()] == ['out.mp4']
    data = path.read_bytes()
    assert data.index(b'moov') < data.index(b'mdat')  # faststart
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == 'h264'
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert stream.average_rate == 5
        assert stream.duration * stream.time_base == pytest.approx(0.6)
    frames, times = read_mp4(path)
    expected = (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    assert [f.shape for f in frames] == [expected] * 3
    assert times == pytest.approx([0, 0.2, 0.4])
    for frame, value in zip(frames, levels):
        assert abs(frame.mean() - value) < 4


def test_times_of_a_variable_rate(tmp_path):
    times = [0, 0.1, 0.5, 0.6, 2.0]
    with VideoWriter(tmp_path / 'a.mp4', fps=10) as writer:
        for i, time in enumerate(times):
            writer.write(flat(40 * i), time)
    frames, found = read_mp4(tmp_path / 'a.mp4')
    assert found == pytest.approx(times, abs=2e-5)
    with av.open(str(tmp_path / 'a.mp4')) as container:
        stream = container.streams.video[0]  # the last one is shown too
        assert stream.duration * stream.time_base == pytest.approx(2.1)
    assert [round(f.mean() / 40) for f in frames] == [0, 1, 2, 3, 4]


def test_times_that_do_not_rise(tmp_path):
    """As of cameras whose clock was set back: no frame is lost."""
    with VideoWriter(tmp_path / 'a.mp4', fps=10) as writer:
        for time in (0, 0.5, 0.3, 0.3, 0.9):
            writer.write(flat(9), time)
    times = read_mp4(tmp_path / 'a.mp4')[1]
    assert len(times) == 5 and sorted(set(times)) == times


@pytest.mark.slow
@pytest.mark.parametrize('size', [(1, 1), (1, 301), (301, 1), (4320, 7680)])
def test_extreme_sizes_there_and_back(size, tmp_path):
    with VideoWriter(tmp_path / 'a.mp4') as writer:
        writer.write(flat(90, size), 0)
    (frame,) = open_source(tmp_path / 'a.mp4')
    height, width = (side + side % 2 for side in size)
    assert frame.image.shape == (height, width, 3)
    assert abs(frame.image.mean() - 90) < 4


def test_too_large_for_h264(tmp_path):
    with pytest.raises(ValueError, match='up to 16384 pixels a side, got 16'):
        with VideoWriter(tmp_path / 'a.mp4') as writer:
            writer.write(flat(0, (2, 16386)), 0)
    assert os.listdir(tmp_path) == []


def test_other_sizes_are_fitted_into_the_first(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4') as writer:
        writer.write(flat(200, (48, 64)))
        writer.write(flat(200, (96, 32)))  # scaled to 48 x 16
        writer.write(flat(200, (24, 32)))  # scaled to the whole
    first, second, third = read_mp4(tmp_path / 'a.mp4')[0]
    assert second.shape == (48, 64, 3)
    assert second[:, :22].max() < 30 and second[:, 42:].max() < 30
    assert abs(second[:, 26:38].mean() - 200) < 5
    assert abs(third.mean() - 200) < 4


def test_other_suffix(tmp_path):
    with pytest.raises(ValueError, match='a.avi must end in .mp4'):
        VideoWriter(tmp_path / 'a.avi')
