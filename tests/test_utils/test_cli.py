# Copyright (c) mmrdn contributors. All rights reserved.
import os
import re
import signal
import warnings

import pytest
import torch
from mmengine.config import DictAction

from mmrdn.utils.cli import describe, one_line_errors, parse_options, path_option

IN_A_WORKER = """Caught ValueError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "fetch.py", line 54, in fetch
ValueError: image a/b.JPEG is truncated
"""


@pytest.mark.parametrize(
    'error, text',
    [
        (ValueError('a\n  b'), 'a b'),
        (ValueError(IN_A_WORKER), 'image a/b.JPEG is truncated'),
        (KeyError(IN_A_WORKER), 'image a/b.JPEG is truncated'),
        (KeyError('score'), 'missing key "score"'),
        (KeyError('RDM is not in the registry. More details can be found at x'), 'RDM is not in the registry.'),
        (KeyError(), 'missing key'),
        (TypeError(), 'TypeError'),
        (FileNotFoundError(2, 'No such file or directory', 'x.py'), "[Errno 2] No such file or directory: 'x.py'"),
    ],
)
def test_describe(error, text):
    assert describe(error) == text


def failing(error):

    @one_line_errors
    def main():
        warnings.warn('two\nlines')
        raise error

    return main


def test_one_line_and_status(capsys):
    with pytest.raises(SystemExit) as exit_:
        failing(OSError('disk full'))()
    assert exit_.value.code == 1
    assert capsys.readouterr().err == 'warning: two lines\nerror: disk full\n'


@pytest.mark.parametrize('text', ['', 'interrupted after 3 frames'])
def test_ctrl_c_is_reported_in_one_line(text, capsys):
    with pytest.raises(SystemExit) as exit_:
        failing(KeyboardInterrupt(*[text] * bool(text)))()
    assert exit_.value.code == 130
    assert capsys.readouterr().err == f'warning: two lines\n{text or "interrupted"}\n'


@pytest.mark.parametrize('error', [RuntimeError('a bug'), AssertionError()])
def test_bugs_keep_their_trace(error):
    with pytest.raises(type(error)):
        failing(error)()


def test_trace_on_demand(monkeypatch):
    monkeypatch.setenv('MMRDN_TRACEBACK', '1')
    with pytest.raises(OSError, match='disk full'):
        failing(OSError('disk full'))()


def test_escape_codes_do_not_reach_the_terminal():
    """Those of a name in a file would clear the screen or retype a command."""
    error = ValueError('a\x1b[2Jb\x9bc\n\x07d é')
    assert describe(error) == 'a\\x1b[2Jb\\x9bc \\x07d é'


class Suicidal(torch.utils.data.Dataset):
    """Its second item kills the process that loads it."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


def test_a_dead_data_loader_worker_is_named_in_one_line(capsys):
    @one_line_errors
    def main():
        list(torch.utils.data.DataLoader(Suicidal(), num_workers=1))

    with pytest.raises(SystemExit):
        main()
    err = capsys.readouterr().err
    assert re.fullmatch(
        r'error: DataLoader worker \(pid.*\d+\).*\. Was it killed, or did memory or /dev/shm run out\? .*\n', err
    )


def test_other_runtime_errors_keep_their_trace():
    @one_line_errors
    def main():
        raise RuntimeError('a bug')

    with pytest.raises(RuntimeError, match='a bug'):
        main()


@pytest.mark.parametrize(
    'word, value',
    [
        ('/my work/a b.json', '/my work/a b.json'),
        ('/a (1)/b', '/a (1)/b'),
        ("'/a b'", '/a b'),
        ('[/a b/c, /d  e]', ['/a b/c', '/d  e']),
        ('/a b,2, 3.5', ['/a b', 2, 3.5]),
        ('[(1, 2 ), [ x y , None]]', [(1, 2), ['x y', None]]),
        (' 7 ', 7),
        ('True', True),
        ('', ''),
        ('a=b c', 'a=b c'),
    ],
)
def test_options_keep_the_spaces_of_texts(word, value):
    assert parse_options([f'k={word}', 'other=1']) == {'k': value, 'other': 1}


@pytest.mark.parametrize('word', ['9', '1,2', '[1, x]', 'a,(b,c)', '-1e-3', 'None', 'abc', '(4,)'])
def test_options_without_spaces_are_those_of_mmengine(word):
    assert parse_options([f'k={word}']) == {'k': DictAction._parse_iterable(word)}


@pytest.mark.parametrize(
    'word, message', [('x', '--cfg-options must be key=value, got x'), ('k=[1,2', '--cfg-options: Imbalanced brackets')]
)
def test_options_that_are_none(word, message):
    with pytest.raises(ValueError) as error:
        parse_options([word])
    assert str(error.value).startswith(message)


def test_paths_as_options(tmp_path):
    path = tmp_path / 'my work' / 'a (1)'
    assert parse_options([path_option('a.b', path)]) == {'a.b': str(path)}
    for name in ('a,b', '[a]', '"a"', 'a '):
        with pytest.raises(ValueError, match='expected a path without commas, brackets around it'):
            path_option('a.b', name)
