# Copyright (c) mmrdn contributors. All rights reserved.
import struct
import warnings

import av
import numpy as np
import pytest

from helpers.videos import flat, levels, noise, write_mp4
from mmrdn.fileio.video_files import VideoFrames
from mmrdn.video import VideoFileSource, open_source


def packets_of(path):
    """Byte and size of each packet of the video stream."""
    with av.open(str(path)) as file:
        return [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]


def test_frames_and_times_of_a_variable_rate(tmp_path):
    times = [0, 0.1, 0.5, 0.6, 2.0]
    path = write_mp4(tmp_path / 'a.mp4', [flat(40 * i) for i in range(5)], times)
    source = open_source(path)
    assert isinstance(source, VideoFileSource)
    assert source.num_frames == 5 and source.rereadable
    for _ in range(2):  # it can be read again
        frames = list(source)
        assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
        assert [frame.time for frame in frames] == pytest.approx(times)
        for i, frame in enumerate(frames):
            assert frame.image.shape == (48, 64, 3)
            assert frame.image.dtype == np.uint8
            assert abs(frame.image.mean() - 40 * i) < 3
    assert not source.truncated and not source.skipped


def test_times_start_at_zero(tmp_path):
    path = write_mp4(tmp_path / 'a.mkv', [flat(9)] * 3, [5, 5.1, 5.2])
    assert [frame.time for frame in open_source(path)] == pytest.approx([0, 0.1, 0.2], abs=1e-3)


# Containers whose head says how much must come, and those where only a frame that was cut shows.
WITH_LENGTH = [('mp4', 'libx264'), ('avi', 'mpeg4'), ('mkv', 'libx264'), ('webm', 'libvpx'), ('flv', 'libx264')]
WITHOUT_LENGTH = [('ts', 'libx264'), ('mpg', 'mpeg2video'), ('h264', 'libx264'), ('wmv', 'wmv2')]


def ticks(kind):
    """Return the ticks of the clock: MPEG-2 has no finer one, and AVI would fill up with empty frames."""
    return 10 if kind in ('mpg', 'avi') else 1000


@pytest.mark.parametrize('kind, codec', [*WITH_LENGTH, *WITHOUT_LENGTH])
def test_other_containers(kind, codec, tmp_path):
    frames = [flat(30), flat(120), flat(210)]
    path = write_mp4(tmp_path / f'a.{kind}', frames, None, codec, ticks(kind))
    source = open_source(path)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = levels(source)
    assert found == pytest.approx([30, 120, 210], abs=4)
    assert not source.truncated


@pytest.mark.parametrize('share', [0.5, 0.77])
@pytest.mark.parametrize('kind, codec', [*WITH_LENGTH, *WITHOUT_LENGTH])
def test_other_containers_truncated(kind, codec, share, tmp_path):
    path = write_mp4(tmp_path / f'a.{kind}', noise(40), None, codec, ticks(kind))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    source = open_source(path)
    with pytest.warns(UserWarning, match='damaged at frame') as told:
        frames = list(source)
    assert len(told) == 1 and source.truncated
    assert 40 * share - 10 < len(frames) < 40


@pytest.mark.parametrize('kind, codec', WITH_LENGTH)
def test_other_containers_cut_between_two_packets(kind, codec, tmp_path):
    path = write_mp4(tmp_path / f'a.{kind}', noise(40), None, codec, ticks(kind))
    path.write_bytes(path.read_bytes()[: packets_of(path)[20][0]])
    source = open_source(path)
    with pytest.warns(UserWarning, match='damaged at frame'):
        frames = list(source)
    assert source.truncated and 17 <= len(frames) <= 20


@pytest.mark.parametrize('num_seconds', [0, 1, 9])
def test_sound_of_another_length(num_seconds, tmp_path):
    """The container's duration is that of the longest stream."""
    path = tmp_path / 'a.mkv'
    with av.open(str(path), 'w') as file:
        video = file.add_stream('libx264', rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
        sound = file.add_stream('pcm_s16le', rate=8000)
        for image in noise(30):
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            file.mux(video.encode(frame))
        for i in range(num_seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), 's16', 'mono')
            frame.sample_rate, frame.pts = 8000, 8000 * i
            file.mux(sound.encode(frame))
        file.mux(video.encode())
    source = open_source(path)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert len(list(source)) == 30
    assert not source.truncated


def test_rotation(tmp_path):
    """The matrix of a phone held upright: (x, y) goes to (H - 1 - y, x)."""
    image = flat(20, (32, 64))
    image[:16, :32] = 220  # the upper left quarter
    path = write_mp4(tmp_path / 'a.mp4', [image] * 2)
    data = path.read_bytes()
    at = data.index(b'tkhd') + 4 + 40  # version 0: the matrix
    matrix = struct.pack('>9i', 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:at] + matrix + data[at + 36 :])
    frames = list(open_source(path))
    assert len(frames) == 2
    for frame in frames:
        assert frame.image.shape == (64, 32, 3)
        assert frame.image[8, 24].mean() > 180  # the upper right quarter
        for y, x in ((8, 8), (56, 8), (56, 24)):
            assert frame.image[y, x].mean() < 60


def test_times_that_restart(tmp_path):
    """Two transport streams, one after the other in a file."""
    path = write_mp4(tmp_path / 'a.ts', noise(5))
    path.write_bytes(2 * path.read_bytes())
    times = [frame.time for frame in open_source(path)]
    assert times == pytest.approx([i / 10 for i in range(10)])


@pytest.mark.parametrize('share', [0.3, 0.6, 0.99])
def test_truncated(share, tmp_path):
    whole = noise(20)
    path = write_mp4(tmp_path / 'a.mp4', whole)
    data = path.read_bytes()
    start = data.index(b'mdat')
    path.write_bytes(data[: start + int(share * (len(data) - start))])
    source = open_source(path)
    with pytest.warns(UserWarning) as told:
        frames = list(source)
    assert len(told) == 1 and source.truncated
    assert str(told[0].message).startswith(f'video {path} is truncated or damaged at frame {len(frames)} (')
    assert 0 < len(frames) < 20
    for frame, image in zip(frames, whole):
        assert np.abs(frame.image.astype(int) - image).mean() < 20
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert len(list(source)) == len(frames)  # told once


def test_cut_between_two_packets(tmp_path):
    """Nothing that is there is broken, but the end is missing."""
    path = write_mp4(tmp_path / 'a.mp4', noise(9))
    path.write_bytes(path.read_bytes()[: packets_of(path)[5][0]])
    source = open_source(path)
    with pytest.warns(UserWarning, match='truncated or damaged at frame'):
        frames = list(source)
    assert source.truncated and 1 <= len(frames) <= 5


def test_damage_in_the_middle_costs_few_frames(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', noise(20))
    data = bytearray(path.read_bytes())
    place, size = packets_of(path)[10]
    data[place : place + size] = b'\xff' * size
    path.write_bytes(data)
    source = open_source(path)
    with pytest.warns(UserWarning, match='damaged at frame 10 ') as told:
        frames = list(source)
    assert len(told) == 1 and source.truncated
    assert len(frames) >= 12
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_a_frame_that_the_decoder_conceals(tmp_path):
    """Half of a packet is noise: all frames come, one of them is a guess."""
    path = write_mp4(tmp_path / 'a.mp4', noise(20))
    data = bytearray(path.read_bytes())
    place, size = packets_of(path)[10]
    data[place + size // 2 : place + size] = np.random.default_rng(0).bytes(size - size // 2)
    path.write_bytes(data)
    source = open_source(path)
    with pytest.warns(UserWarning, match='damaged at frame 10 ') as told:
        frames = list(source)
    assert len(told) == 1 and source.truncated and len(frames) == 20


@pytest.mark.parametrize(
    'content, error, message',
    [
        (None, FileNotFoundError, 'video {path} does not exist'),
        (b'', ValueError, 'video {path} is empty'),
        (b'words, no video\n' * 9, ValueError, 'video {path} is no video'),
    ],
)
def test_no_video(content, error, message, tmp_path):
    path = tmp_path / 'a.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=message.format(path=path)):
        open_source(path)


def test_index_at_the_end_is_cut_off(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', noise(3))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b'moov')])
    with pytest.raises(ValueError, match=f'{path} is no video, or so trunc'):
        open_source(path)


def test_sound_alone(tmp_path):
    with av.open(str(tmp_path / 'a.mp4'), 'w') as file:
        stream = file.add_stream('aac', rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 44100
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with pytest.raises(ValueError, match='a.mp4 has no video in it'):
        open_source(tmp_path / 'a.mp4')


def test_zero_frames(tmp_path):
    """A whole header, and none of the pixels."""
    path = write_mp4(tmp_path / 'a.mp4', noise(3))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b'mdat') + 4])
    source = open_source(path)
    with pytest.raises(ValueError, match=f'{path} has no frames that can'), pytest.warns(UserWarning):
        list(source)


def test_names_that_look_like_protocols(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mp4(tmp_path / 'plain.mp4', [flat(9)] * 2)
    (tmp_path / 'plain.mp4').rename(tmp_path / 'a:b %d.mp4')
    assert len(list(open_source('a:b %d.mp4'))) == 2


def test_two_readings_at_once(tmp_path):
    """The second, shorter one takes nothing back and warns no more."""
    path = write_mp4(tmp_path / 'a.mp4', noise(20))
    data = path.read_bytes()
    path.write_bytes(data[: 2 * len(data) // 3])
    source = open_source(path)
    first = iter(source)
    images = [next(first).image]
    second = iter(source)
    assert (next(second).image == images[0]).all()
    with pytest.warns(UserWarning, match='damaged at frame') as told:
        images += [frame.image for frame in first]
    assert len(told) == 1 and source.truncated
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for image, frame in zip(images[1:], second):
            assert (frame.image == image).all()
        next(iter(source))  # a third
    assert source.truncated


def test_max_frames(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', [flat(9)] * 5)
    source = open_source(path, max_frames=2)
    assert source.num_frames == 2
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # stopping early is no damage
        assert len(list(source)) == 2
    assert not source.truncated
    with pytest.raises(ValueError, match='max_frames must be 1 or more'):
        open_source(path, max_frames=0)


def test_frames_of_too_many_pixels(tmp_path, monkeypatch):
    """Claimed by the header; or by a frame in the middle, which is left out with a warning."""
    path = tmp_path / 'a.h264'
    parts = []
    for number, (height, width) in enumerate(((48, 64), (480, 640), (48, 64))):
        part = tmp_path / f'{number}.h264'
        with av.open(part, 'w') as container:
            stream = container.add_stream('libx264', rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 80, np.uint8), format='bgr24')
            container.mux([*stream.encode(frame), *stream.encode(None)])
        parts.append(part.read_bytes())
    path.write_bytes(b''.join(parts))
    assert [frame.image.shape for frame in VideoFileSource(path)] == [(48, 64, 3), (480, 640, 3), (48, 64, 3)]
    # 64x48 is 3072 pixels, with the decoder's padding some more; 640x480 is 307200.
    monkeypatch.setattr('mmrdn.fileio.video_files.MAX_PIXELS', 30_000)
    with pytest.warns(UserWarning, match=f'video {path} is truncated or damaged at frame'):
        shapes = [frame.image.shape for frame in VideoFileSource(path)]
    assert shapes == [(48, 64, 3), (48, 64, 3)]
    monkeypatch.setattr('mmrdn.fileio.video_files.MAX_PIXELS', 3000)
    with pytest.raises(ValueError, match=f'video {path} claims frames of 64x48, expected 3000 pixels at most'):
        VideoFileSource(path)


@pytest.mark.parametrize(
    'text',
    [
        '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n',
        'ffconcat version 1.0\nfile {1}\n',
        "ffconcat version 1.0\nfile '{0}'\n",
    ],
)
@pytest.mark.parametrize('read', [VideoFileSource, VideoFrames])
def test_a_list_of_other_files_is_no_video(text, read, tmp_path):
    """Or a file of a stranger would show other videos of this machine."""
    write_mp4(tmp_path / 'mine.mp4', noise(3))
    path = tmp_path / 'a.mp4'
    path.write_text(text.format(tmp_path / 'mine.mp4', 'mine.mp4'))
    with pytest.raises((ValueError, OSError), match=f'video {path} (is no video|cannot be opened)'):
        read(path)
