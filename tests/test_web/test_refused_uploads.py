# Copyright (c) mmrdn contributors. All rights reserved.
"""Files that the web page does not take."""

import io
import shutil
import weakref

import av
import cv2
import numpy as np
import pytest

from helpers.web import FPS, send, wait, write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

from mmrdn.video import VideoFileSource  # noqa: E402
from mmrdn.web.upload_source import UploadSource  # noqa: E402


def text():
    return b'just a text\n' * 50


def playlist():
    """Names another file; FFmpeg would read that."""
    return b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n'


def picture():
    return cv2.imencode('.png', np.zeros((9, 9, 3), np.uint8))[1].tobytes()


def sound():
    """A file without a video stream."""
    file = io.BytesIO()
    with av.open(file, 'w', format='mp4') as container:
        stream = container.add_stream('aac', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def no_frames():
    """An AVI whose video stream has a header only."""
    file = io.BytesIO()
    with av.open(file, 'w', format='avi') as container:
        stream = container.add_stream('libx264', rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.open()
        container.start_encoding()
    return file.getvalue()


@pytest.mark.parametrize(
    'make, message',
    [
        (bytes, 'x.mp4 is empty'),
        (text, 'x.mp4 is no video, or so truncated that nothing can be read'),
        (playlist, 'x.mp4 is no video, or so truncated that nothing can be read'),
        (picture, 'x.mp4 is no video, expected one such as MP4, WebM, MKV, AVI or MPEG'),
        (sound, 'x.mp4 has no video in it'),
        (no_frames, 'x.mp4 has no frames in it'),
    ],
)
def test_what_is_no_video_is_refused(client, jobs, make, message):
    assert send(client, make(), 'x.mp4') == (400, dict(message=message))
    assert not list(jobs.root.iterdir())


def concat(name):
    """Names another file in the same folder."""
    return f'ffconcat version 1.0\nfile {name}\n'


def test_list_of_files_is_never_followed(client, jobs, tmp_path):
    """Not even if the file becomes one after it was looked at."""
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    (tmp_path / 'list').write_text(concat('clip.mp4'))
    with av.open(str(tmp_path / 'list')) as container:
        assert len(list(container.decode(video=0))) == 3  # FFmpeg would
    message = 'list is no video, expected one such as MP4, WebM, MKV, AVI or MPEG'
    assert send(client, tmp_path / 'list', 'list') == (400, dict(message=message))
    detect = jobs.inferencer

    def exchange(source, **kwargs):
        [upload] = jobs.root.glob('*/upload')
        shutil.copy(clip, upload.with_name('clip.mp4'))
        upload.write_text(concat('clip.mp4'))
        return detect(source, **kwargs)

    jobs.inferencer, exchange.classes = exchange, detect.classes
    job = wait(client, send(client, clip, 'list')[1]['address'])
    assert (job['state'], job['message']) == ('failed', message)


def test_long_video_is_refused(client, tmp_path):
    """20 frames of a tenth of a second are allowed, 21 are not."""
    assert send(client, write_clip(tmp_path / 'a.mp4', 20))[0] == 202
    assert send(client, write_clip(tmp_path / 'b.mp4', 21), 'b.mp4') == (
        400,
        dict(message='b.mp4 is longer than 2 seconds'),
    )


def encoded(path, shapes, fps=FPS, times=None, format='mp4'):
    """Grey frames, one file of any shapes and times in ticks of fps."""
    parts = []
    for shape in dict.fromkeys(shapes):
        file = io.BytesIO()
        with av.open(file, 'w', format=format) as container:
            stream = container.add_stream('libx264', rate=fps, options=dict(bf='0', preset='ultrafast'))
            stream.height, stream.width = shape
            stream.pix_fmt = 'yuv420p'
            grey = np.full((*shape, 3), 90, np.uint8)
            packets = []
            for _ in range(shapes.count(shape)):
                packets += stream.encode(av.VideoFrame.from_ndarray(grey))
            packets += stream.encode()
            for i, packet in enumerate(packets):
                if times is not None:
                    packet.pts = packet.dts = times[i]
                container.mux(packet)
        parts.append(file.getvalue())
    path.write_bytes(b''.join(parts))
    return path


def test_number_of_frames_is_limited(client, jobs, tmp_path):
    """However short they are, 60 a second of the longest video."""
    clip = encoded(tmp_path / 'a.mp4', [(64, 96)] * 120, fps=1000)
    assert send(client, clip)[0] == 202
    clip = encoded(tmp_path / 'b.mp4', [(64, 96)] * 121, fps=1000)
    assert send(client, clip, 'b.mp4') == (400, dict(message='b.mp4 has more than 120 frames'))
    jobs.max_frames = 3  # raw H.264 has no times
    clip = encoded(tmp_path / 'c.264', [(64, 96)] * 4, format='h264')
    assert send(client, clip, 'c.264') == (400, dict(message='c.264 has more than 3 frames'))


def test_looking_at_a_video_stops_at_the_limit(tmp_path, monkeypatch):
    """The packets behind are not read, those before not kept."""
    read, alive, most = [], weakref.WeakSet(), []

    class Packet:
        def __init__(self, packet):
            self.pts, self.size = packet.pts, packet.size
            alive.add(self)
            read.append(packet.pts)
            most.append(len(alive))

    class Container:
        def __init__(self, container):
            self._container = container

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self._container.close()

        def demux(self, stream):
            return map(Packet, self._container.demux(stream))

    source = UploadSource(write_clip(tmp_path / 'a.mp4', 50), 'a.mp4', 20, 64 * 96)
    container, stream = source._open()
    monkeypatch.setattr(source, '_open', lambda: (Container(container), stream))
    with pytest.raises(ValueError, match='has more than 20 frames'):
        source.measure(1000)
    assert len(read) == 21 and max(most) <= 2


def test_pixels_of_a_frame_are_limited(client, jobs, tmp_path):
    jobs.max_pixels = 64 * 96
    clip = encoded(tmp_path / 'a.mp4', [(64, 96)] * 3)
    assert send(client, clip)[0] == 202
    clip = encoded(tmp_path / 'b.mp4', [(64, 98)] * 3)
    message = 'b.mp4 has frames of 98x64, expected 6144 pixels at most'
    assert send(client, clip, 'b.mp4') == (400, dict(message=message))


@pytest.mark.filterwarnings('ignore:.*truncated or damaged')
@pytest.mark.parametrize(
    'larger, state, message',
    [
        ((128, 112), 'failed', 'a.264 has frames of 112x128, expected 6144 pixels at most'),
        ((256, 192), 'done', 'detections in 60 frames of a.264, which is truncated or damaged'),
    ],
)
def test_frames_may_not_grow(client, jobs, tmp_path, larger, state, message):
    """Not decoded at all if that would take much more memory."""
    jobs.max_seconds, jobs.max_pixels = 10, 64 * 96
    shapes = [(64, 96)] * 60 + [larger] * 2
    clip = encoded(tmp_path / 'a.264', shapes, format='h264')
    assert len(list(VideoFileSource(clip))) == 62  # without the limit
    told = send(client, clip, 'a.264')[1]
    job = wait(client, told['address'])
    assert job['state'] == state and job['message'].endswith(message)


def test_large_file_is_refused(client):
    assert send(client, bytes(520000)) == (413, dict(message='the file is larger than 0.5 MB'))


def test_form_without_a_video_is_refused(client):
    answer = client.post('/videos', data=dict(video='text'))
    assert answer.status_code == 400
    assert answer.json['message'] == 'expected a form with a file "video"'
