# Copyright (c) mmrdn contributors. All rights reserved.
import io
import sys

import pytest
from rich.console import Console

from mmrdn.utils.progress import run_with_progress

SCRIPT = '''
import sys
print('some words')
for i in range(5, 101, 5):
    print(f'INFO - Iter(train) [{i:4d}/100]  lr: 1e-3  loss: 0.{i:03d}')
if len(sys.argv) > 1:
    print('error: the last words')
    sys.exit(3)
'''


def run(tmp_path, *args, **kwargs):
    out = io.StringIO()
    run_with_progress([sys.executable, '-c', SCRIPT, *args], 'training',
                      tmp_path / 'a' / 'train.log',
                      Console(file=out, width=100, **kwargs))
    return out.getvalue()


def test_a_line_for_each_tenth_where_there_is_no_terminal(tmp_path):
    lines = run(tmp_path).splitlines()
    assert lines == [
        f'training {i}/100 loss {i / 1000:.2f}' for i in range(10, 101, 10)
    ]
    log = (tmp_path / 'a' / 'train.log').read_text()
    assert log.startswith('some words') and log.count('Iter(train)') == 20


def test_a_bar_on_a_terminal(tmp_path):
    assert '100/100' in run(tmp_path, force_terminal=True)


def test_failure_gives_the_last_words(tmp_path):
    with pytest.raises(
            ValueError, match='status 3: error: the last words .*train.log'):
        run(tmp_path, 'fail')
