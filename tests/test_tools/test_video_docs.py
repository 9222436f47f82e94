# Copyright (c) mmrdn contributors. All rights reserved.
"""The commands and the Python of docs/video.md and README.md run."""

import re
import shlex
import shutil

import cv2
import pytest

from helpers.configs import ROOT
from helpers.pages import blocks_to_run
from helpers.videos import noise, write_mp4

PAGES = ('docs/video.md', 'README.md')
CONFIGS = re.compile(
    r'(configs/)?rdn/rdn_faster-rcnn_(r101-dc5_4xb1-60k_imagenetvid|'
    r'r18_1xb4-1500_movingdigits)(\.py)?'
)


def commands():
    for page in PAGES:
        for block in blocks_to_run(page, 'shell'):
            yield from (' '.join(command.split()) for command in block.commands())


@pytest.fixture
def place(tiny_config, trained, tmp_path, monkeypatch):
    """A directory with the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    write_mp4(tmp_path / 'clip.mp4', noise(5, (64, 80)))
    (tmp_path / 'frames').mkdir()
    for i, image in enumerate(noise(3, (64, 80))):
        cv2.imwrite(str(tmp_path / 'frames' / f'{i}.png'), image)
    shutil.copy(tiny_config, tmp_path / 'config.py')
    shutil.copy(trained / 'iter_8.pth', tmp_path / 'rdn.pth')
    (tmp_path / 'demo').symlink_to(ROOT / 'demo')
    return tmp_path


def test_there_are_commands():
    assert len(set(commands())) >= 5


@pytest.mark.parametrize('command', sorted(set(commands())))
def test_command_runs(command, place, run_main):
    words = shlex.split(CONFIGS.sub('config.py', command))
    words = words[words.index('demo_video' if words[0] == 'mim' else 'tools/demo_video.py') + 1 :]
    words = ['rdn.pth' if re.search(r'iter_\d+\.pth', word) else word for word in words]
    before = set(place.iterdir())
    status, _, stderr = run_main('demo_video.py', *words)
    assert status == 0, stderr
    named = {place / words[i + 1] for i, word in enumerate(words) if word.startswith('--out')}
    assert named and set(place.iterdir()) - before == named


def test_python_runs(place, capsys):
    """In the order of the page, as one program."""
    names = dict(frames=noise(3, (64, 80)))
    names.update({f'frames_{c}': noise(2, (64, 80)) for c in 'abc'})
    for block in blocks_to_run('docs/video.md', 'python'):
        block = CONFIGS.sub('config.py', block.text).replace('lookahead=3', 'lookahead=1')
        exec(compile(block, 'docs/video.md', 'exec'), names)
    assert (place / 'out.mp4').exists() and (place / 'out.jsonl').exists()
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if re.match(r'\d \d$', line)]) == 6
