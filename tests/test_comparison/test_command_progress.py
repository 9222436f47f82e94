# Copyright (c) mmrdn contributors. All rights reserved.
import io
import sys
import time

import pytest
from rich.console import Console

from mmrdn.comparison import command_progress
from mmrdn.comparison.command_progress import run_with_progress

SCRIPT = """
import json, sys
print('some words')
with open(sys.argv[-1].split('=')[1], 'w') as reports:
    for i in range(5, 101, 5):
        reports.write(json.dumps(['train', i, 100, i / 1000]) + '\\n')
if len(sys.argv) > 3:
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
    assert log == 'some words\n'


def test_a_validation_within_a_training(tmp_path):
    """It says so, and counts its own tenths."""
    code = """
import sys
with open(sys.argv[-1].split('=')[1], 'w') as reports:
    reports.write('["train", 5, 10, 0.5]\\n["train", 10, 10, 0.5]\\n["val", 2, 4, null]\\n["val", 4, 4, null]\\n')
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

    monkeypatch.setattr(command_progress.json, 'loads', interrupt)
    code = "import sys, time; print(file=open(sys.argv[-1].split('=')[1], 'w')); time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_with_progress([sys.executable, '-c', code], 'x', tmp_path / 'log', Console(file=io.StringIO()))
    assert time.monotonic() - start < 30


def test_a_bar_on_a_terminal(tmp_path):
    assert '100/100' in run(tmp_path, force_terminal=True)


def test_failure_gives_the_last_words(tmp_path):
    with pytest.raises(ValueError, match='status 3: error: the last words .*train.log'):
        run(tmp_path, 'fail')
