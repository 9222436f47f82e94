# Copyright (c) mmrdn contributors. All rights reserved.
"""The web page without a browser."""
import contextlib
import io
import json
import threading
import time
import urllib.request

import av
import cv2
import numpy as np
import pytest
from web_testing import FakeInferencer, write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

from mmrdn.apis.video_jobs import VideoJobs  # noqa: E402
from mmrdn.apis.web_demo import create_app, open_server  # noqa: E402
from mmrdn.video import VideoWriter  # noqa: E402


@pytest.fixture
def jobs():
    with contextlib.closing(VideoJobs(FakeInferencer(), .4, 2.)) as jobs:
        yield jobs


@pytest.fixture
def client(jobs):
    return create_app(jobs, max_mb=.5).test_client()


def send(client, path_or_bytes, name='clip.mp4', **kwargs):
    """Upload; status and what is told."""
    content = path_or_bytes
    if not isinstance(content, bytes):
        content = content.read_bytes()
    answer = client.post(
        '/videos', data=dict(video=(io.BytesIO(content), name)), **kwargs)
    return answer.status_code, answer.json


def wait(client, address):
    """What is told about a job when it is over."""
    for _ in range(200):
        told = client.get(address).json
        if told['state'] in ('done', 'failed'):
            return told
        time.sleep(.05)
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
    part = client.get(
        job['files']['annotated'], headers=dict(Range='bytes=4-7'))
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
    assert job['message'].endswith(
        'of clip.mp4, which is truncated or damaged')


def text():
    return b'just a text\n' * 50


def playlist():
    """Names another file; FFmpeg would read that."""
    return (b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n'
            b'#EXT-X-ENDLIST\n')


def picture():
    return cv2.imencode('.png', np.zeros((9, 9, 3), np.uint8))[1].tobytes()


def sound():
    """A file without a video stream."""
    file = io.BytesIO()
    with av.open(file, 'w', format='mp4') as container:
        stream = container.add_stream('aac', rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), 'fltp', 'mono')
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


@pytest.mark.parametrize('make, message', [
    (bytes, 'x.mp4 is empty'),
    (text, 'x.mp4 is no video, or so truncated that nothing can be read'),
    (playlist, 'x.mp4 is no video, or so truncated that nothing can be read'),
    (picture, 'x.mp4 is no video, expected one such as MP4, WebM, MKV, AVI or '
     'MPEG'),
    (sound, 'x.mp4 has no video in it'),
    (no_frames, 'x.mp4 has no frames in it'),
])
def test_what_is_no_video_is_refused(client, jobs, make, message):
    assert send(client, make(), 'x.mp4') == (400, dict(message=message))
    assert not list(jobs.root.iterdir())


def test_long_video_is_refused(client, tmp_path):
    """20 frames of a tenth of a second are allowed, 21 are not."""
    assert send(client, write_clip(tmp_path / 'a.mp4', 20))[0] == 202
    assert send(client, write_clip(tmp_path / 'b.mp4', 21), 'b.mp4') == (
        400, dict(message='b.mp4 is 2.1 seconds long, expected 2 at most'))


def test_many_frames_in_a_short_time_are_refused(client, tmp_path):
    """60 a second of the longest video are taken."""
    for num, status in ((120, 202), (121, 400)):
        with VideoWriter(tmp_path / f'{num}.mp4') as writer:
            for i in range(num):
                writer.write(np.zeros((2, 2, 3), np.uint8), i / 1000)
        answer = send(client, tmp_path / f'{num}.mp4')
        assert answer[0] == status
    assert answer[1]['message'] == ('clip.mp4 has more than 120 frames, which '
                                    'is too long')


def test_large_frames_are_refused(client, jobs, tmp_path):
    jobs.max_pixels = 64 * 96 - 1
    status, told = send(client, write_clip(tmp_path / 'a.mp4', 3))
    assert status == 400 and told['message'] == (
        'clip.mp4 has frames of 96x64 pixels, expected 6143 pixels at most')


def test_large_file_is_refused(client):
    assert send(
        client,
        bytes(520000)) == (413, dict(message='the file is larger than 0.5 MB'))


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


@pytest.mark.parametrize('error, message', [
    (ValueError('video {video} is odd'), 'video clip.mp4 is odd'),
    (RuntimeError('bug'),
     'clip.mp4: an unforeseen error; the log of the server says more'),
])
def test_failure_is_told(client, jobs, tmp_path, error, message):
    """Under the name that the user knows; the next video is taken."""

    def fail(video, **kwargs):
        raise type(error)(str(error).format(video=video))

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
    assert send(
        client,
        clip) == (400, dict(message='1 videos wait already, try again later'))
    go_on.set()
    assert wait(client, told['address'])['state'] == 'done'


def test_upload_that_cannot_be_kept_leaves_nothing(jobs):

    def save(path):
        path.write_bytes(b'a part')
        raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'):
        jobs.add('x.mp4', save)
    assert not jobs._jobs and not list(jobs.root.iterdir())


def test_closing_ends_the_job_and_removes_files(tmp_path):
    started = threading.Event()

    def endless(video, progress, **kwargs):
        for i in range(10000):
            started.set()
            progress(i, None)
            time.sleep(.01)

    jobs = VideoJobs(endless)
    _, told = send(
        create_app(jobs).test_client(), write_clip(tmp_path / 'clip.mp4', 3))
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


def test_other_sites_cannot_use_it(client, tmp_path):
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    headers = {'Sec-Fetch-Site': 'cross-site'}
    assert send(
        client, clip, headers=headers) == (
            403, dict(message='another site may not send videos here'))


@pytest.mark.parametrize('origin, status', [
    ('http://localhost', 202),
    ('http://evil.example', 403),
    ('http://localhost:1', 403),
    ('null', 403),
])
def test_origin_of_browsers_that_say_no_site(client, tmp_path, origin, status):
    """As on plain HTTP in a local network."""
    clip = write_clip(tmp_path / 'clip.mp4', 3)
    assert send(client, clip, headers=dict(Origin=origin))[0] == status


@pytest.mark.parametrize('host, checked', [('127.0.0.2', True),
                                           ('0.0.0.0', False)])
def test_names_are_checked_on_any_loopback_address(jobs, host, checked):
    app = create_app(jobs)
    with open_server(app, host, port=0):
        assert bool(app.config.get('TRUSTED_HOSTS')) == checked


def test_server_listens_at_loopback(jobs):
    """And answers to no other name than its own."""
    app = create_app(jobs)
    with open_server(app, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.port}/'
        assert server.socket.getsockname()[0] == '127.0.0.1'
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        request = urllib.request.Request(
            address, headers=dict(Host='evil.example'))
        with pytest.raises(urllib.error.HTTPError, match='400'):
            urllib.request.urlopen(request)
        with pytest.raises(OSError, match='in use'), \
                open_server(app, port=server.port):
            pass
        server.shutdown()
    with pytest.raises(ValueError, match='port must be from 0 to 65535'), \
            open_server(app, port=70000):
        pass
