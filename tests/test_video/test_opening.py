# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from helpers.videos import flat, write_mp4
from mmrdn.video import open_source


@pytest.mark.parametrize(
    'size, message',
    [
        (None, 'need their size, WxH'),
        ('5', 'size must be WxH, such as 640x480, got 5'),
        ('0x3', '1 pixel or more, got 0x3'),
    ],
)
def test_size_of_raw_frames(size, message):
    with pytest.raises(ValueError, match=message):
        open_source('-', size=size)
    assert open_source('-', size='640x480').size == (640, 480)
    assert open_source('-', size=(640, 480)).size == (640, 480)


def test_options_of_other_sources(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', [flat(9)])
    with pytest.raises(ValueError, match='size is that of raw frames'):
        open_source(path, size='5x5')
    with pytest.raises(ValueError, match='has its own times'):
        open_source(path, fps=5)
    with pytest.raises(ValueError, match='fps must be positive, got -1'):
        open_source(path, fps=-1)


def test_a_file_named_like_a_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mp4(tmp_path / 'a.mp4', [flat(9)]).rename('5')
    assert len(list(open_source('5'))) == 1


def test_urls_in_capitals():
    with pytest.raises(OSError, match='://127.0.0.1:9/A cannot be opened: Connection re'):
        open_source('RTSP://127.0.0.1:9/A')
