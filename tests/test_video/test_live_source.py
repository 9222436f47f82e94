# Copyright (c) mmrdn contributors. All rights reserved.
import socket
import threading

import pytest

from helpers.http import serving
from helpers.videos import flat, levels, noise, write_mp4
from mmrdn.video import LiveSource, open_source


def test_no_camera_and_no_server():
    with pytest.raises(FileNotFoundError, match='camera 97: /dev/video97 does not exist'):
        open_source('97')
    with pytest.raises(OSError, match='rtsp://127.0.0.1:9/a cannot be opened: Connection refused'):
        open_source('rtsp://127.0.0.1:9/a')
    with pytest.raises(OSError, match='^rtsp://127.0.0.1:9/a cannot'):
        open_source('rtsp://user:secret@127.0.0.1:9/a')


@pytest.fixture
def stalling(tmp_path):
    """A server that sends 10 frames, or what it is told, and then nothing."""
    write_mp4(tmp_path / 'a.ts', noise(10))
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen()
    open_ends = [listener]

    def serve(data):

        def send():
            connection, _ = listener.accept()
            open_ends.append(connection)
            connection.sendall(data)

        threading.Thread(target=send, daemon=True).start()
        return f'tcp://127.0.0.1:{listener.getsockname()[1]}'

    yield serve, (tmp_path / 'a.ts').read_bytes()
    for end in open_ends:
        end.close()


def test_stream_that_stalls(stalling):
    serve, data = stalling
    url = serve(data)
    source = LiveSource(url, timeout=0.5)
    with pytest.warns(UserWarning, match='no data came in time') as told:
        frames = list(source)
    assert len(told) == 1 and source.truncated
    assert 1 <= len(frames) <= 10
    assert f'{url} broke off or was damaged at frame ' in str(told[0].message)


def test_server_that_never_answers(stalling):
    serve, _ = stalling
    url = serve(b'')
    with pytest.raises(OSError, match=f'{url} cannot be opened: no data came in'):
        LiveSource(url, timeout=0.3)


@pytest.fixture
def server(tmp_path):
    """Serves a directory over HTTP."""
    with serving(tmp_path) as url:
        yield url


def test_stream_over_http(server, tmp_path):
    write_mp4(tmp_path / 'a.mp4', [flat(30), flat(120), flat(210)])
    source = open_source(f'{server}/a.mp4')
    assert isinstance(source, LiveSource) and not source.rereadable
    assert levels(source) == pytest.approx([30, 120, 210], abs=3)
    with pytest.raises(OSError, match='none.mp4 cannot be opened: .*404'):
        open_source(f'{server}/none.mp4')


def test_stream_that_breaks_off(server, tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', noise(20))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source = open_source(f'{server}/a.mp4')
    with pytest.warns(UserWarning, match='broke off or was damaged at frame'):
        frames = list(source)
    assert source.truncated and 0 < len(frames) < 20
