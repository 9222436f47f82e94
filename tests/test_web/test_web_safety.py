# Copyright (c) mmrdn contributors. All rights reserved.
"""The web page, and other sites and machines."""

import socket
import threading
import urllib.request

import pytest

from helpers.web import send, write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

from mmrdn.web.page_server import open_server  # noqa: E402
from mmrdn.web.web_demo import create_app  # noqa: E402


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
