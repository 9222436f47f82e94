# Copyright (c) mmrdn contributors. All rights reserved.
import io
import json
import re
import signal
import sys
import time
import urllib.request

import av
import pytest

import mmrdn.web
from helpers.tools import start_tool
from helpers.web import write_clip

pytest.importorskip('flask', reason='needs the extra "web"')

TOOL = 'serve_demo.py'


@pytest.fixture
def server(tiny_config, trained, tmp_path):
    """The tool at work, and where; it shows any score, as eight iterations may give low ones only."""
    config = tmp_path / 'any_score.py'
    config.write_text(
        f"_base_ = '{tiny_config}'\nmodel = dict(detector=dict(test_cfg=dict(rcnn=dict(score_thr=0.0))))\n"
    )
    process = start_tool(
        TOOL, config, trained / 'iter_8.pth', '--port', '0', '--device', 'cpu', '--max-seconds', '2', '--score-thr', '0'
    )
    line = process.stdout.readline()
    if not line:
        pytest.fail(process.communicate()[1])
    yield process, re.match(r'(http://127\.0\.0\.1:\d+)/ \(', line).group(1)
    process.kill()
    process.communicate()


def test_video_passes_a_real_detector(server, tmp_path):
    process, home = server
    clip = write_clip(tmp_path / 'clip.mp4', 6, (128, 160)).read_bytes()
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="video"; '
        b'filename="clip.mp4"\r\n\r\n' + clip + b'\r\n--edge--\r\n'
    )
    request = urllib.request.Request(home + '/videos', body, {'Content-Type': 'multipart/form-data; boundary=edge'})
    with urllib.request.urlopen(request) as answer:
        address = json.load(answer)['address']
    job, end = {}, time.time() + 60
    while job.get('state') not in ('done', 'failed') and time.time() < end:
        time.sleep(0.1)
        with urllib.request.urlopen(home + address) as answer:
            job = json.load(answer)
    assert job['state'] == 'done', job
    with urllib.request.urlopen(home + job['files']['detections']) as answer:
        lines = [json.loads(line) for line in answer]
    assert [line['frame'] for line in lines] == list(range(6))
    count = sum(len(line['detections']) for line in lines)
    assert count > 0
    assert job['message'] == f'{count} detections in 6 frames of clip.mp4'
    with urllib.request.urlopen(home + job['files']['annotated']) as answer:
        with av.open(io.BytesIO(answer.read())) as container:
            shapes = [(f.height, f.width) for f in container.decode(video=0)]
    assert shapes == [(384, 480)] * 6  # small ones are drawn larger

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, '', '')


@pytest.mark.parametrize('number', ['SIGINT', 'SIGTERM', 'SIGHUP'])
def test_signals_end_it_and_remove_its_files(monkeypatch, tmp_path, tiny_config, trained, number):
    """SIGHUP comes when its terminal is closed."""
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    process = start_tool(TOOL, tiny_config, trained / 'iter_8.pth', '--port', '0', '--device', 'cpu')
    assert process.stdout.readline().startswith('http://')
    assert len(list(tmp_path.glob('mmrdn-web-*'))) == 1
    process.send_signal(getattr(signal, number))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, '', '')
    assert not list(tmp_path.glob('mmrdn-web-*'))


@pytest.mark.parametrize(
    'args, message',
    [
        (('--lookahead', 9), 'lookahead must be an integer number of frames, from 0 to 2, got 9'),
        (('--port', 99999), 'port must be from 0 to 65535, got 99999'),
        (('--max-seconds', 0), 'max_seconds must be positive, 10000000 at most, got 0.0'),
        (('--max-seconds', 'inf'), 'max_seconds must be positive, 10000000 at most, got inf'),
        (('--max-seconds', 1e308), 'max_seconds must be positive, 10000000 at most, got 1e+308'),
        (('--max-frames', 0), 'max_frames must be from 1 to 1000000000, got 0'),
        (('--max-pixels', -3), 'max_pixels must be from 1 to 1000000000, got -3'),
        (('--max-pixels', 10**30), f'max_pixels must be from 1 to 1000000000, got {10**30}'),
        (('--max-mb', -1), 'max_mb must be positive, 1000000 at most, got -1.0'),
        (('--max-mb', 'inf'), 'max_mb must be positive, 1000000 at most, got inf'),
        (('--host', ''), "host must be a name or an IP address, got ''"),
        (('--score-thr', 'nan'), 'score_thr must be 0 or more, got nan'),
    ],
)
def test_bad_arguments_are_named(run_main, monkeypatch, tiny_config, trained, args, message):
    monkeypatch.setattr('mmrdn.web.page_server.PageServer.serve_forever', lambda self: pytest.fail('it serves'))
    status, out, err = run_main(TOOL, tiny_config, trained / 'iter_8.pth', *args)
    assert (status, out, err) == (1, '', f'error: {message}\n')


def test_missing_checkpoint_is_named(run_main, tiny_config, tmp_path):
    path = tmp_path / 'none.pth'
    status, _, err = run_main(TOOL, tiny_config, path)
    assert status == 1 and err.count('\n') == 1 and str(path) in err


def test_missing_extra_is_named(monkeypatch, run_main, tiny_config):
    monkeypatch.setattr(mmrdn, 'web', mmrdn.web)  # put back afterwards, as the modules are
    for name in [n for n in sys.modules if n.startswith('mmrdn.web')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'flask', None)
    status, _, err = run_main(TOOL, tiny_config, 'x.pth')
    assert status == 1
    assert err == 'error: the web page needs flask: pip install "mmrdn[web]"\n'
