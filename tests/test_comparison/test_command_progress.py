# Copyright (c) mmrdn contributors. All rights reserved.
import io
import sys
import time

import pytest
from rich.console import Console

from mmrdn.comparison import command_progress as progress
from mmrdn.comparison.command_progress import run_with_progress

SCRIPT = """
import sys
print('some words')
for i in range(5, 101, 5):
    print(f'INFO - Iter(train) [{i:4d}/100]  lr: 1e-3  loss: 0.{i:03d}')
if len(sys.argv) > 1:
    print('error: the last words')
    sys.exit(3)
"""


def run(tmp_path, *args, **kwargs):
    out = io.StringIO()
    run_with_progress(
        [sys.executable, '-c', SCRIPT, *args],
        'training',
        tmp_path / 'a' / 'train.log',
        Console(file=out, width=100, **kwargs),
    )
    return out.getvalue()


def test_a_line_for_each_tenth_where_there_is_no_terminal(tmp_path):
    lines = run(tmp_path).splitlines()
    assert lines == [f'training {i}/100 loss {i / 1000:.2f}' for i in range(10, 101, 10)]
    log = (tmp_path / 'a' / 'train.log').read_text()
    assert log.startswith('some words') and log.count('Iter(train)') == 20


@pytest.mark.parametrize(
    'line, expected',
    [
        ('INFO - Iter(test) [  50/1200]    eta: 0:01  time: 0.1', (False, 50, 1200, '')),
        ('INFO - Epoch(train)  [2][10/70]  lr: 1  loss: 0.456', (False, 10, 70, 'loss 0.46')),
        ('testing 120/600 frames, 34.5 fps, 0:00:13 left', (False, 120, 600, '')),
        ('validation 6/18 frames, 3 fps', (True, 6, 18, '')),
        ('Load checkpoint from iter_8.pth', None),
    ],
)
def test_lines_that_say_how_far_it_is(line, expected):
    assert progress._position(line) == expected


def test_a_validation_within_a_training(tmp_path):
    """It says so, and counts its own tenths."""
    code = """
for i in (5, 10):
    print(f'Iter(train) [{i}/10]  loss: 0.5')
for i in (2, 4):
    print(f'validation {i}/4 frames, 3 fps')
"""
    out = io.StringIO()
    run_with_progress([sys.executable, '-c', code], 'training', tmp_path / 'log', Console(file=out, width=100))
    assert out.getvalue().splitlines() == [
        'training 5/10 loss 0.50',
        'training 10/10 loss 0.50',
        'training: validation 2/4',
        'training: validation 4/4',
    ]


def test_the_command_does_not_outlive_an_interrupt(tmp_path, monkeypatch):
    """Ctrl-C while the command works: it would take a minute."""

    def interrupt(line):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, '_position', interrupt)
    code = "import time; print('line', flush=True); time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_with_progress([sys.executable, '-c', code], 'x', tmp_path / 'log', Console(file=io.StringIO()))
    assert time.monotonic() - start < 30


def test_a_bar_on_a_terminal(tmp_path):
    assert '100/100' in run(tmp_path, force_terminal=True)


def test_failure_gives_the_last_words(tmp_path):
    with pytest.raises(ValueError, match='status 3: error: the last words .*train.log'):
        run(tmp_path, 'fail')
