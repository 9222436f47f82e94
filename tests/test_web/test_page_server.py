# Copyright (c) mmrdn contributors. All rights reserved.
"""The server under the web page: full disks, idle connections, what a killed one left."""

import contextlib
import gc
import io
import json
import os
import resource
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from helpers.web import write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

from mmrdn.web import page_server  # noqa: E402
from mmrdn.web.page_server import FULL_DISK, open_server  # noqa: E402
from mmrdn.web.web_demo import create_app  # noqa: E402

EDGE = b'--edge\r\nContent-Disposition: form-data; name="video"; filename="%s"\r\n\r\n'
END = b'\r\n--edge--\r\n'
FORM = 'multipart/form-data; boundary=edge'


@pytest.fixture
def serve(jobs):
    """Serve the page, with further views if there are any; gives its server."""

    @contextlib.contextmanager
    def call(**views):
        app = create_app(jobs, max_mb=2)
        for name, view in views.items():
            app.add_url_rule(f'/{name}', name, view)
        with open_server(app, port=0) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()

    return call


@contextlib.contextmanager
def full_disk(size):
    """No file may grow beyond a size: the system says EFBIG then."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def upload(url, content, name='a.mp4'):
    """Send a form; status and answer."""
    request = urllib.request.Request(f'{url}/videos', EDGE % name.encode() + content + END, {'Content-Type': FORM})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def temporary_files():
    """Open files without a name."""
    gc.collect()
    links = []
    for descriptor in os.listdir('/proc/self/fd'):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f'/proc/self/fd/{descriptor}'))
    return [link for link in links if link.endswith('(deleted)')]


@pytest.mark.slow
@pytest.mark.parametrize('room, size', [(600_000, 1_500_000), (100_000, 300_000)])
def test_a_full_disk_is_told_and_survived(serve, jobs, tmp_path, room, size):
    """While the body is taken (larger than what stays in memory), and while the file is kept."""
    before = temporary_files()
    with serve() as server:
        url = f'http://127.0.0.1:{server.port}'
        with full_disk(room):
            for _ in range(3):
                assert upload(url, bytes(size)) == (507, dict(message=FULL_DISK))
        assert not list(jobs.root.iterdir())
        assert upload(url, write_clip(tmp_path / 'a.mp4', 3).read_bytes())[0] == 202
        assert upload(url, bytes(1_500_000)) == (
            400,
            dict(message='a.mp4 is no video, or so truncated that nothing can be read'),
        )
    assert temporary_files() == before


@pytest.mark.slow
def test_a_full_disk_while_the_form_is_read(jobs):
    """Werkzeug's own temporary file is closed too."""
    client = create_app(jobs, max_mb=2).test_client()
    form = io.BytesIO(EDGE % b'a.mp4' + bytes(1_500_000) + END)
    before = temporary_files()
    with full_disk(600_000):
        answer = client.post('/videos', input_stream=form, content_type=FORM, content_length=len(form.getvalue()))
    assert (answer.status_code, answer.json) == (507, dict(message=FULL_DISK))
    assert temporary_files() == before


def test_too_much_is_refused_in_json(serve):
    with serve() as server, socket.create_connection(('127.0.0.1', server.port)) as connection:
        connection.sendall(b'POST /videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n')
        head, _, body = connection.makefile('rb').read().partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 413 ')
    assert json.loads(body) == dict(message='the file is larger than this server takes')


def test_one_request_at_a_time(serve):
    """Others that came with it get no answer, which would wait with an open file; the connection ends."""
    request = b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
    with serve() as server:
        for sent in (request * 90, b'\r\n' + request + b'\r\n'):
            with socket.create_connection(('127.0.0.1', server.port), timeout=30) as connection:
                connection.sendall(sent)
                if sent.endswith(b'\n\r\n\r\n'):  # an empty line after a request is none
                    connection.shutdown(socket.SHUT_WR)
                answer = connection.makefile('rb').read()
            assert answer.count(b'HTTP/1.1 200 OK') == 1
            assert (b'Connection: close' in answer) == (len(sent) > 1000)


@pytest.mark.slow
@pytest.mark.parametrize('rate, stays', [(10**9, False), (1, True)])
def test_answers_that_are_taken_by_drops(serve, monkeypatch, rate, stays):
    """A client that takes a few bytes now and then is closed, one that is fast enough is not."""
    monkeypatch.setattr(page_server, '_IDLE', 1)
    monkeypatch.setattr(page_server, '_MIN_RATE', rate)
    with serve(long=lambda: bytes(10**7)) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(('127.0.0.1', server.port))
        connection.sendall(b'GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n')
        end = time.monotonic() + 3
        taken = b'HTTP'
        while taken and time.monotonic() < end:
            try:
                taken = connection.recv(2000)
            except ConnectionResetError:
                break
            time.sleep(0.01)
        assert bool(server.active_channels) == stays


def test_idle_connections_give_way(serve, monkeypatch):
    monkeypatch.setattr(page_server, '_IDLE_CROWDED', 0.5)
    with serve() as server, contextlib.ExitStack() as idle:
        for _ in range(205):
            idle.enter_context(socket.create_connection(('127.0.0.1', server.port)))
        with urllib.request.urlopen(f'http://127.0.0.1:{server.port}/', timeout=30) as answer:
            assert answer.status == 200


def test_codes_for_terminals_are_escaped_in_names(serve):
    with serve() as server:
        url = f'http://127.0.0.1:{server.port}'
        message = '\\x1b[2J.mp4 is no video, or so truncated that nothing can be read'
        assert upload(url, b'text' * 50, '\x1b[2J.mp4') == (400, dict(message=message))
