# Copyright (c) mmrdn contributors. All rights reserved.
"""The web page without a browser."""

import contextlib
import io
import json
import re
import shutil
import socket
import threading
import time
import urllib.request
import weakref

import av
import cv2
import numpy as np
import pytest

from helpers.web import FPS, FakeInferencer, write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

from mmrdn.video import VideoFileSource  # noqa: E402
from mmrdn.web.page_server import open_server  # noqa: E402
from mmrdn.web.upload_source import UploadSource  # noqa: E402
from mmrdn.web.video_jobs import Job, VideoJobs  # noqa: E402
from mmrdn.web.web_demo import create_app  # noqa: E402


@pytest.fixture
def jobs():
    with contextlib.closing(VideoJobs(FakeInferencer(), 0.4, 2.0)) as jobs:
        yield jobs


@pytest.fixture
def client(jobs):
    return create_app(jobs, max_mb=0.5).test_client()


def send(client, path_or_bytes, name='clip.mp4', **kwargs):
    """Upload; status and what is told."""
    content = path_or_bytes
    if not isinstance(content, bytes):
        content = content.read_bytes()
    answer = client.post('/videos', data=dict(video=(io.BytesIO(content), name)), **kwargs)
    return answer.status_code, answer.json


def wait(client, address):
    """What is told about a job when it is over."""
    for _ in range(200):
        told = client.get(address).json
        if told['state'] in ('done', 'failed'):
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_video_comes_back_annotated(client, tmp_path):
    status, told = send(client, write_clip(tmp_path / 'clip.mp4', 12))
    assert status == 202
    job = wait(client, told['address'])
    assert job['state'] == 'done'
    assert job['message'] == '14 detections in 12 frames of clip.mp4'
    assert (job['frames'], job['num_frames']) == (12, 12)
    assert job['plot']['seconds'] == pytest.approx(1.2)
    video = client.get(job['files']['annotated'])
    assert video.mimetype == 'video/mp4'
    with av.open(io.BytesIO(video.data)) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
        frames = [f.to_ndarray(format='bgr24') for f in container.decode()]
    assert len(frames) == 12 and abs(frames[0].mean() - (255 - 60)) < 4
    part = client.get(job['files']['annotated'], headers=dict(Range='bytes=4-7'))
    assert (part.status_code, part.data) == (206, video.data[4:8])
    lines = client.get(job['files']['detections']).text.splitlines()
    assert [json.loads(line)['frame'] for line in lines] == list(range(12))
    plot = client.get(job['files']['timeline'])
    assert plot.mimetype == 'image/svg+xml' and '<svg' in plot.text


@pytest.mark.filterwarnings('ignore:.*truncated or damaged')
def test_damage_is_told(client, tmp_path):
    """What decodes of a video that lacks its end is shown."""
    clip = write_clip(tmp_path / 'clip.mp4', 12, (256, 256)).read_bytes()
    _, told = send(client, clip[:-100])
    job = wait(client, told['address'])
    assert job['state'] == 'done'
    assert job['message'].endswith('of clip.mp4, which is truncated or damaged')


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
    assert len(list(VideoFileSource(tmp_path / 'list'))) == 3  # FFmpeg would
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


def test_only_results_are_handed_out(client, tmp_path):
    _, told = send(client, write_clip(tmp_path / 'clip.mp4', 3))
    wait(client, told['address'])
    for name in ('upload', '..', '%2e%2e/x', 'annotated.mp4/'):
        assert client.get(f'{told["address"]}/{name}').status_code == 404
    answer = client.get('/videos/0')
    assert answer.status_code == 404
    assert answer.json['message'] == 'this video is not here (any more)'


@pytest.mark.parametrize(
    'error, message',
    [
        (ValueError('video {video} is odd'), 'video clip.mp4 is odd'),
        (OSError('{folder}/annotated.mp4 cannot be written'), 'annotated.mp4 cannot be written'),
        (OSError("Permission denied: '{folder}'"), "Permission denied: 'clip.mp4'"),
        (RuntimeError('bug'), 'clip.mp4: an unforeseen error; the log of the server says more'),
    ],
)
def test_failure_is_told(client, jobs, tmp_path, error, message):
    """Under the name that the user knows; the next video is taken."""

    def fail(source, **kwargs):
        [upload] = jobs.root.glob('*/upload')
        raise type(error)(str(error).format(video=upload, folder=upload.parent))

    good, jobs.inferencer = jobs.inferencer, fail
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    _, told = send(client, clip)
    job = wait(client, told['address'])
    assert (job['state'], job['message']) == ('failed', message)
    assert client.get(told['address'] + '/annotated.mp4').status_code == 404
    jobs.inferencer = good
    assert wait(client, send(client, clip)[1]['address'])['state'] == 'done'


def test_oldest_results_make_room(client, jobs, tmp_path):
    jobs.max_jobs = 2
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    addresses = []
    for _ in range(3):
        addresses.append(send(client, clip)[1]['address'])
        wait(client, addresses[-1])
    states = [client.get(address).status_code for address in addresses]
    assert states == [404, 200, 200] and len(list(jobs.root.iterdir())) == 2


def test_too_many_waiting_videos_are_refused(client, jobs, tmp_path):
    jobs.max_jobs = 1
    go_on, good = threading.Event(), jobs.inferencer

    def slow(*args, **kwargs):
        go_on.wait(20)
        return good(*args, **kwargs)

    jobs.inferencer, slow.classes = slow, good.classes
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    _, told = send(client, clip)
    assert send(client, clip) == (400, dict(message='1 videos wait already, try again later'))
    go_on.set()
    assert wait(client, told['address'])['state'] == 'done'


def test_upload_that_cannot_be_kept_leaves_nothing(jobs):

    def save(path):
        path.write_bytes(b'a part')
        raise OSError(28, 'disk full', str(path))

    message = re.escape("[Errno 28] disk full: 'x.mp4'")
    with pytest.raises(ValueError, match=f'^{message}$'):
        jobs.add('x.mp4', save)
    assert not jobs._jobs and not list(jobs.root.iterdir())


def test_room_is_made_while_an_upload_breaks_off(jobs, tmp_path):
    """Neither gets into the way of the other."""
    started, go_on = threading.Event(), threading.Event()

    def save(path):
        started.set()
        go_on.wait(20)
        raise OSError('broken off')

    def upload():
        with pytest.raises(ValueError, match='broken off'):
            jobs.add('a.mp4', save)

    other = threading.Thread(target=upload)

    class Jobs(dict):
        def items(self):
            for i, item in enumerate(super().items()):
                yield item
                if not i:  # the broken one would be removed here
                    go_on.set()
                    other.join(0.3)

    jobs._jobs, jobs.max_jobs = Jobs(), 2
    other.start()
    assert started.wait(20)
    jobs._jobs['done'] = Job('b.mp4', tmp_path / 'b', 'done')
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    key = jobs.add('c.mp4', lambda path: shutil.copy(clip, path))
    other.join(20)
    assert list(jobs._jobs) == [key]


def test_closing_ends_the_job_and_removes_files(tmp_path):
    started = threading.Event()

    def endless(source, progress, **kwargs):
        for i in range(10000):
            started.set()
            progress(i, None)
            time.sleep(0.01)

    jobs = VideoJobs(endless)
    _, told = send(create_app(jobs).test_client(), write_clip(tmp_path / 'clip.mp4', 3))
    assert started.wait(20)
    before = time.time()
    jobs.close()
    assert time.time() - before < 20 and not jobs.root.exists()


def test_page_loads_from_itself_only(client):
    answer = client.get('/')
    policy = answer.headers['Content-Security-Policy']
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert '://' not in policy and '*' not in policy
    assert 'up to 0.5 MB and 2 seconds' in answer.text
    for name in ('page.js', 'page.css', 'icon.svg'):
        assert f'/static/{name}' in answer.text
        page = client.get(f'/static/{name}').text
        assert '://' not in page.replace('http://www.w3.org/2000/svg', '')


@pytest.mark.parametrize(
    'headers, status',
    [
        ({'Sec-Fetch-Site': 'cross-site'}, 403),
        ({'Sec-Fetch-Site': 'same-site'}, 403),
        ({'Sec-Fetch-Site': 'same-origin'}, 202),
        ({'Origin': 'http://evil.example'}, 403),
        ({'Origin': 'null'}, 403),
        ({'Origin': 'http://localhost:99'}, 403),
        ({'Origin': 'http://[bad'}, 403),
        ({'Origin': 'http://localhost'}, 202),
        ({}, 202),
    ],
)
def test_other_sites_cannot_use_it(client, tmp_path, headers, status):
    """Browsers that do not say Sec-Fetch-Site say Origin."""
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    answer = send(client, clip, headers=headers)
    assert answer[0] == status
    if status == 403:
        assert answer[1]['message'] == 'another site may not send videos here'


@pytest.mark.parametrize(
    'host, names',
    [
        ('127.0.0.2', ['127.0.0.2', '127.0.0.1', 'localhost', '[::1]']),
        ('127.0.0.1', ['127.0.0.1', 'localhost']),
        ('localhost', ['127.0.0.1', 'localhost']),
        ('::1', ['[::1]', 'localhost']),
    ],
)
def test_loopback_answers_to_its_names_only(jobs, host, names):
    app = create_app(jobs)
    with open_server(app, host, 0) as server:
        for name in [*names, 'evil.example', '127.0.0.3', '[::2]', '[', '']:
            address = f'{name}:{server.port}'
            answer = app.test_client().get('/', headers=dict(Host=address))
            assert answer.status_code == (200 if name in names else 400)


@pytest.mark.parametrize('host', ['0.0.0.0', '::', '0'])
def test_other_addresses_answer_to_names_of_this_machine(jobs, host):
    """Under a name of theirs other sites could reach it; addresses are no names."""
    app = create_app(jobs)
    with open_server(app, host, 0, ['Demo.example']):
        for name, status in (
            *((name, 200) for name in (socket.gethostname(), 'localhost', '192.168.1.7', '[fe80::1]', 'demo.example')),
            *((name, 400) for name in ('evil.example', 'localhost.evil.example', '', '[', '1.2.3')),
        ):
            answer = app.test_client().get('/', headers=dict(Host=f'{name}:80'))
            assert (name, answer.status_code) == (name, status)


def test_server_listens_at_loopback(jobs):
    """And answers to no other name than its own."""
    app = create_app(jobs)
    with open_server(app, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.port}/'
        assert server.socket.getsockname()[0] == '127.0.0.1'
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        request = urllib.request.Request(address, headers=dict(Host='evil.example'))
        with pytest.raises(urllib.error.HTTPError, match='400'):
            urllib.request.urlopen(request)
        with pytest.raises(OSError, match='in use'), open_server(app, port=server.port):
            pass
        server.shutdown()
    with pytest.raises(ValueError, match='port must be from 0 to 65535'), open_server(app, port=70000):
        pass
