# Copyright (c) mmrdn contributors. All rights reserved.
import os
import subprocess
import sys

import pytest

from mmrdn.web import upload_directory
from mmrdn.web.upload_directory import UploadDirectory

CODE = """
import os, runpy, sys
directory = runpy.run_path(sys.argv[1])['UploadDirectory']()
(directory.path / 'upload').write_text('private')
print(directory.path.parent, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(monkeypatch, tmp_path):
    """Make the files that a killed process leaves in the temporary directory."""
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    done = subprocess.run(
        [sys.executable, '-c', CODE, upload_directory.__file__],
        env=dict(os.environ, TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert os.listdir(f'{done.stdout.strip()}/videos') == ['upload']
    return done.stdout.strip()


def test_what_a_killed_process_left_is_removed(killed):
    first, second = UploadDirectory(), UploadDirectory()
    assert not os.path.exists(killed)
    assert first.path.is_dir() and second.path.is_dir()  # those that live are left alone
    for directory in (first, second, second):
        directory.remove()
    assert os.listdir(os.path.dirname(killed)) == []


def test_only_what_it_made_is_removed(killed, tmp_path, monkeypatch):
    """Not what has its prefix alone, nor what a link leads to, nor what another user has."""
    other = tmp_path / 'mmrdn-web-mine'
    other.mkdir()
    (other / 'notes').write_text('mine')
    os.rename(killed, tmp_path / 'away')
    (tmp_path / 'mmrdn-web-link').symlink_to(tmp_path / 'away')
    (tmp_path / 'mmrdn-web-file').touch()
    fake = tmp_path / 'mmrdn-web-fake'
    fake.mkdir()
    (fake / 'lock').symlink_to(tmp_path / 'away' / 'lock')
    pipe = tmp_path / 'mmrdn-web-pipe'
    pipe.mkdir()
    os.mkfifo(pipe / 'lock')
    before = sorted(tmp_path.rglob('*'))
    UploadDirectory().remove()
    assert sorted(tmp_path.rglob('*')) == before
    (tmp_path / 'away').rename(tmp_path / 'mmrdn-web-other')
    monkeypatch.setattr(os, 'getuid', lambda: 12345)
    UploadDirectory().remove()
    assert (tmp_path / 'mmrdn-web-other' / 'videos' / 'upload').exists()


def test_without_locks_nothing_is_removed(killed, monkeypatch):
    def flock(*args):
        raise OSError(95, 'no locks')

    monkeypatch.setattr(upload_directory.fcntl, 'flock', flock)
    UploadDirectory().remove()
    assert os.path.exists(killed)
    monkeypatch.undo()
