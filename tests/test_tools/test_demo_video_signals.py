# Copyright (c) mmrdn contributors. All rights reserved.
"""``tools/demo_video.py`` that is interrupted or killed."""

import os
import signal
import subprocess
import time

import pytest

from helpers.tools import start_tool
from helpers.videos import files_in, lines_of, noise, read_mp4, write_mp4

TOOL = 'demo_video.py'


def start(*args):
    return start_tool(TOOL, *args, stdin=subprocess.PIPE)


def wait_for(condition, process, seconds=100):
    end = time.time() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.time() < end, 'waited too long'
        time.sleep(0.02)


@pytest.mark.parametrize('numbers', [[signal.SIGINT], [signal.SIGTERM] * 2, [signal.SIGHUP, signal.SIGTERM]])
def test_ctrl_c_completes_the_files(numbers, tiny_config, trained, tmp_path):
    clip = write_mp4(tmp_path / 'clip.mp4', 200 * noise(10, (64, 64)))
    names = ['o.mp4', 'o.jsonl', 'o.txt']
    process = start(clip, tiny_config, trained / 'iter_8.pth', *files_in(tmp_path), '--score-thr', '.02')
    lines = tmp_path / 'o.jsonl'
    wait_for(lambda: lines.exists() and lines.read_text().count('\n') > 5, process)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.02)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    num = len(lines_of(lines))  # all of them are valid
    assert 5 < num < 2000
    listed = ', '.join(str(tmp_path / name) for name in names)
    assert err == f'interrupted after {num} frames: {listed}\n'
    assert len(read_mp4(tmp_path / 'o.mp4')[0]) == num
    last = (tmp_path / 'o.txt').read_text().splitlines()[-1]
    assert int(last.split(',')[0]) <= num
    assert sorted(os.listdir(tmp_path)) == sorted(['clip.mp4', *names])


def test_ctrl_c_where_no_frame_comes(tiny_config, trained, tmp_path):
    """A thread waits for standard input, and does not keep it from ending."""
    out = tmp_path / 'o.mp4'
    process = start('-', tiny_config, trained / 'iter_8.pth', '--size', '32x24', '--out-video', out)
    wait_for(lambda: list(tmp_path.iterdir()), process)  # it was opened
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)  # while standard input stays open
    assert process.returncode == 130
    assert process.communicate()[1] == ('interrupted after 0 frames: nothing\n')
    assert os.listdir(tmp_path) == []


def test_killed(tiny_config, trained, tmp_path):
    """Lines of JSON that were finished stay; the video is not half there."""
    clip = write_mp4(tmp_path / 'clip.mp4', 200 * noise(10, (64, 64)))
    process = start(
        clip, tiny_config, trained / 'iter_8.pth', '--out-video', tmp_path / 'o.mp4', '--out-json', tmp_path / 'o.jsonl'
    )
    lines = tmp_path / 'o.jsonl'
    wait_for(lambda: lines.exists() and lines.read_text().count('\n') > 5, process)
    process.kill()
    process.communicate()
    assert len(lines_of(lines)) > 5
    assert not (tmp_path / 'o.mp4').exists()
