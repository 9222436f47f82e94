# Copyright (c) mmrdn contributors. All rights reserved.
"""The web page without a browser."""

import io
import json
import re
import shutil
import threading
import time

import av
import pytest

from helpers.web import send, wait, write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

from mmrdn.web.video_jobs import Job, VideoJobs  # noqa: E402
from mmrdn.web.web_demo import create_app  # noqa: E402


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
    """A video without its end is shown as far as it decodes."""
    clip = write_clip(tmp_path / 'clip.mp4', 12, (256, 256)).read_bytes()
    _, told = send(client, clip[:-100])
    job = wait(client, told['address'])
    assert job['state'] == 'done'
    assert job['message'].endswith('of clip.mp4, which is truncated or damaged')


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
        (RuntimeError('bug'), 'clip.mp4: an unforeseen error; see the log of the server'),
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
