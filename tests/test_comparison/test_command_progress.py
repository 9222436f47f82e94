# Copyright (c) mmrdn contributors. All rights reserved.
import io
import sys
import time

import pytest
from rich.console import Console

from mmrdn.comparison import command_progress
from mmrdn.comparison.command_progress import Command, run_with_progress

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


def command(tmp_path, code, *args, title='training'):
    return Command([sys.executable, '-c', code, *args], title, tmp_path / title / 'train.log')


def run(*commands, **kwargs):
    out = io.StringIO()
    run_with_progress(commands, Console(file=out, width=100, **kwargs))
    return out.getvalue()


def test_a_line_for_each_tenth_where_there_is_no_terminal(tmp_path):
    lines = run(command(tmp_path, SCRIPT)).splitlines()
    assert lines == [f'training {i}/100 loss {i / 1000:.2f}' for i in range(10, 101, 10)]
    log = (tmp_path / 'training' / 'train.log').read_text()
    assert log == 'some words\n'


def test_a_validation_within_a_training(tmp_path):
    """It says so, and counts its own tenths."""
    code = """
import sys
with open(sys.argv[-1].split('=')[1], 'w') as reports:
    reports.write('["train", 5, 10, 0.5]\\n["train", 10, 10, 0.5]\\n["val", 2, 4, null]\\n["val", 4, 4, null]\\n')
"""
    assert run(command(tmp_path, code)).splitlines() == [
        'training 5/10 loss 0.50',
        'training 10/10 loss 0.50',
        'training: validation 2/4',
        'training: validation 4/4',
    ]


@pytest.mark.parametrize('titles', [['training'], ['a', 'b']])
def test_no_command_outlives_an_interrupt(titles, tmp_path, monkeypatch):
    """Ctrl-C while the commands work: they would take a minute."""

    def interrupt(line):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_progress.json, 'loads', interrupt)
    code = "import sys, time; print(file=open(sys.argv[-1].split('=')[1], 'w')); time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(*[command(tmp_path, code, title=title) for title in titles])
    assert time.monotonic() - start < 30


def test_a_bar_on_a_terminal(tmp_path):
    assert '100/100' in run(command(tmp_path, SCRIPT), force_terminal=True)


def test_failure_gives_the_last_words(tmp_path):
    with pytest.raises(ValueError, match='status 3: error: the last words .*train.log'):
        run(command(tmp_path, SCRIPT, 'fail'))


# Reports both halves of its work, waits for a file in between, and leaves one first.
HALF = """
import json, sys, time
from pathlib import Path
mine, other = map(Path, sys.argv[1:3])
with open(sys.argv[-1].split('=')[1], 'w', buffering=1) as reports:
    print(json.dumps(['train', 1, 2, 0.5]), file=reports)
    mine.touch()
    while not other.exists():
        time.sleep(0.05)
    print(json.dumps(['train', 2, 2, 0.25]), file=reports)
"""


def test_side_by_side(tmp_path):
    """Each waits for the other: one after the other they would never end."""
    files = [str(tmp_path / name) for name in 'ab']
    commands = [
        command(tmp_path, HALF, *files, title='a'),
        command(tmp_path, HALF + 'time.sleep(1.5)', *files[::-1], title='b'),
    ]
    out = io.StringIO()
    short, long = run_with_progress(commands, Console(file=out, width=100))
    expected = [f'{title} {i}/2 loss {0.5 / i:.2f}' for title in 'ab' for i in (1, 2)]
    assert sorted(out.getvalue().splitlines()) == expected
    assert 0 < short < long < 1  # minutes; b sleeps for 1.5 s at its end


def test_a_terminal_shows_a_bar_for_each(tmp_path):
    shown = run(*[command(tmp_path, SCRIPT, title=title) for title in 'ab'], force_terminal=True)
    last = shown.split('\x1b[2K')[-1].splitlines()[:2]
    assert [line.split()[0] for line in last] == ['a', 'b'] and all('100/100' in line for line in last)


def test_a_failure_ends_the_others(tmp_path):
    sleeps = command(tmp_path, 'import time; time.sleep(60)', title='b')
    start = time.monotonic()
    with pytest.raises(ValueError, match='training ended with status 3: error: the last words'):
        run(sleeps, command(tmp_path, SCRIPT, 'fail'))
    assert time.monotonic() - start < 30
