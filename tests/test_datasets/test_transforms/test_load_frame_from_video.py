# Copyright (c) mmrdn contributors. All rights reserved.
"""Frames of video files by index, against PyAV's reading from the beginning."""

import gc
import pickle
import random

import av
import numpy as np
import pytest
from torch.utils.data import DataLoader

from helpers.annotations import make_images
from helpers.videos import noise, read_mp4, write_mp4
from mmrdn.datasets.transforms import LoadFrameFromVideo
from mmrdn.fileio.video_files import VideoFrames
from mmrdn.video.sources.video_file_source import VideoFileSource


def write_video(path, codec, length=24, gop=6, bframes=2, **options):
    """A video of moving noise with many keyframes."""
    frames = noise(length)
    with av.open(str(path), 'w') as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        stream.gop_size = gop
        stream.options = {key: str(value) for key, value in options.items()}
        if codec in ('libx264', 'mpeg4'):
            stream.max_b_frames = bframes
        for image in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
        file.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    'name, codec, options',
    [
        ('a.mp4', 'libx264', {}),
        ('a.mp4', 'libx264', dict(gop=1)),
        ('a.mp4', 'libx264', {'x264-params': 'open-gop=1:keyint=5:min-keyint=5:scenecut=0'}),
        ('a.mkv', 'libx264', {}),
        ('a.ts', 'libx264', {}),
        ('a.avi', 'mpeg4', {}),
        ('a.mp4', 'mpeg4', {}),
        ('a.avi', 'mjpeg', {}),
        ('a.webm', 'libvpx-vp9', {}),
        ('a b:c #ü.mkv', 'ffv1', {}),
    ],
)
def test_any_order_gives_the_pixels_of_a_reading(tmp_path, name, codec, options):
    path = write_video(tmp_path / name, codec, **options)
    expected = [frame.image for frame in VideoFileSource(path)]
    decoded, _ = read_mp4(path)
    assert len(expected) == len(decoded) == 24
    frames = VideoFrames(path)
    assert len(frames) == 24
    order = [23, 0, 12, 13, 11, 5, 6, 7, *random.Random(0).sample(range(24), 24)]
    for index in order:
        np.testing.assert_array_equal(frames[index], decoded[index])
        np.testing.assert_array_equal(frames[index], expected[index])


@pytest.mark.slow
def test_transform_in_workers(tmp_path):
    """Forked from a process that has the file open; images are loaded too."""
    path = write_video(tmp_path / 'a.mp4', 'libx264', length=12)
    make_images(tmp_path, ['7.png'])
    decoded, _ = read_mp4(path)
    load = LoadFrameFromVideo(max_open=1)
    first = load(dict(img_path=f'{path}/000003'))
    np.testing.assert_array_equal(first['img'], decoded[3])
    assert first['img_shape'] == first['ori_shape'] == (48, 64)

    class Frames:
        def __len__(self):
            return 12

        def __getitem__(self, index):
            return load(dict(img_path=f'{path}/{index:06d}'))['img']

    # A worker that frees a decoder with threads of another test, which a fork does not have, waits for ever.
    gc.collect()
    found = list(DataLoader(Frames(), batch_size=None, num_workers=2, multiprocessing_context='fork'))
    np.testing.assert_array_equal(np.stack(found), np.stack(decoded))
    copy = pickle.loads(pickle.dumps(load))
    np.testing.assert_array_equal(copy(dict(img_path=f'{path}/11'))['img'], decoded[11])
    assert load(dict(img_path=str(tmp_path / '7.png')))['img'].shape == (48, 64, 3)
    with pytest.raises(FileNotFoundError, match='image .*8 does not exist'):
        load(dict(img_path=str(tmp_path / 'none.mp4' / '8')))


def test_few_files_stay_open(tmp_path):
    paths = [write_video(tmp_path / f'{i}.mp4', 'libx264', length=3) for i in range(3)]
    load = LoadFrameFromVideo(max_open=2)
    for path in [*paths, paths[0]]:
        load(dict(img_path=f'{path}/1'))
    assert list(load._videos) == [str(paths[2]), str(paths[0])]
    with pytest.raises(ValueError, match='max_open must be 1 or more'):
        LoadFrameFromVideo(max_open=0)


def test_bad_videos(tmp_path, clip):
    load = LoadFrameFromVideo()
    with pytest.raises(ValueError, match='clip.mp4 has 8 frames, there is no frame 8'):
        load(dict(img_path=f'{clip[0]}/8'))
    (tmp_path / 'e.mp4').touch()
    with pytest.raises(ValueError, match='e.mp4 is empty'):
        load(dict(img_path=f'{tmp_path}/e.mp4/0'))
    (tmp_path / 't.mp4').write_text('no video' * 99)
    with pytest.raises(ValueError, match='t.mp4 is no video'):
        load(dict(img_path=f'{tmp_path}/t.mp4/0'))
    content = write_mp4(tmp_path / 'w.mp4', noise(8)).read_bytes()
    (tmp_path / 'w.mp4').write_bytes(content[: len(content) // 2])  # the index stands first
    with pytest.raises(ValueError, match='w.mp4 .*(truncated|no video|no frame)'):
        for i in range(8):
            load(dict(img_path=f'{tmp_path}/w.mp4/{i}'))
