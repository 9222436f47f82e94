# Copyright (c) mmrdn contributors. All rights reserved.
"""Each request of the list gets its status, and errors one line of JSON."""

import contextlib
import json
import socket
import threading
import time

import pytest

from helpers.web import FakeInferencer, write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

from fuzz.web_requests import requests, upload  # noqa: E402
from mmrdn.web.page_server import open_server  # noqa: E402
from mmrdn.web.video_jobs import VideoJobs  # noqa: E402
from mmrdn.web.web_demo import create_app  # noqa: E402


class Detector(FakeInferencer):
    """Fails at videos whose name says so; the names of all that it sees are kept."""

    names: list[str] = []

    def __call__(self, source, **kwargs):
        self.names.append(source.name)
        if source.name == 'bad.mp4':
            raise ValueError('bad.mp4 is bad')
        return super().__call__(source, **kwargs)


def ask(port, content):
    """Status, headers and body of the answer."""
    with socket.create_connection(('127.0.0.1', port), timeout=20) as connection:
        answer = b''
        with contextlib.suppress(ConnectionError):  # the end of a request that is refused is not read
            connection.sendall(content)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(2**16):
                answer += part
    head, _, body = answer.partition(b'\r\n\r\n')
    first, *lines = head.decode('latin-1').split('\r\n')
    return int((first.split() or [0, 0])[1]), dict(line.split(': ', 1) for line in lines), body


@pytest.fixture
def port():
    # More jobs are kept than the list has, so that the first ones stay.
    with contextlib.closing(VideoJobs(Detector(), 0.4, 2.0, max_jobs=50)) as jobs:
        with open_server(create_app(jobs, max_mb=1), port=0) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield server.port
            server.shutdown()
            thread.join()


def finished(port, content, name):
    """Path of the state of a video that is uploaded and over."""
    path = json.loads(ask(port, upload(content, name))[2])['address']
    for _ in range(400):
        told = json.loads(ask(port, b'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' % path.encode())[2])
        if told['state'] in ('done', 'failed'):
            return path
        time.sleep(0.05)
    raise AssertionError(told)


def test_each_request_gets_its_status(port, tmp_path, capfd):
    clip = write_clip(tmp_path / 'a.mp4', 3).read_bytes()
    paths = finished(port, clip, b'a.mp4'), finished(port, clip, b'bad.mp4')
    wrong, count = [], 0
    for content, expected in requests(clip, *paths, bytes(1_200_000)):
        count += 1
        status, headers, body = ask(port, content)
        is_told = status < 400 or content.startswith(b'HEAD')
        if not is_told:
            message = json.loads(body)['message'] if headers.get('Content-Type') == 'application/json' else ''
            is_told = message and message.isprintable()
        if status != expected or not is_told or (status == 405) > ('Allow' in headers):
            wrong.append((content[:300], expected, status, body[:200]))
    assert not wrong, f'{len(wrong)} of {count}\n' + '\n'.join(map(str, wrong))
    assert count > 170
    assert all(name.isprintable() for name in Detector.names)
    assert '\x1b' not in ''.join(capfd.readouterr())
