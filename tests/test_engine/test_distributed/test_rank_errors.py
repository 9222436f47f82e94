# Copyright (c) mmrdn contributors. All rights reserved.
"""Messages of a rank that fails; its end is recorded, not carried out."""

import json

import pytest
from mmengine.runner.base_loop import BaseLoop

from mmrdn.engine.distributed import rank_errors
from mmrdn.engine.distributed.rank_errors import ending_job
from mmrdn.engine.distributed.rank_watch import RankWatch

TRACE = 'Traceback (most recent call last):'


class Watch:
    """A watch of a job in which this rank is the first to fail, or not."""

    def __init__(self, first):
        self.first = first
        self.reasons = []
        self.left = False

    def fail(self, reason):
        self.reasons.append(reason)
        return self.first

    def leave(self):
        self.left = True


class Loop(BaseLoop):
    def __init__(self, error):
        self.error = error

    def run(self):
        raise self.error


class Ended(BaseException):
    pass


@pytest.fixture
def fail(monkeypatch, tmp_path):
    """Let rank 1 of 4 fail: what it prints, and what torchrun gets."""

    def end(message=''):
        raise Ended(message)

    def call(error, watch, in_loop=False):
        monkeypatch.setattr(rank_errors, 'this_rank', lambda launcher: (1, 4))
        monkeypatch.setattr(rank_errors, 'end_process', end)
        monkeypatch.setattr(rank_errors.time, 'sleep', lambda seconds: None)
        monkeypatch.setattr(RankWatch, 'current', watch)
        path = tmp_path / 'error.json'
        monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(path))

        with pytest.raises(Ended) as ended, ending_job('pytorch'):
            if in_loop:
                Loop(error).run()
            raise error
        told = None
        if path.exists():
            message = json.loads(path.read_text())['message']
            told = message['extraInfo']['py_callstack']
        return str(ended.value), told

    return call


@pytest.mark.parametrize('joined', [True, False])
def test_bad_input_gets_one_line(fail, joined):
    watch = Watch(first=True) if joined else None
    err, told = fail(FileNotFoundError('no x.pth'), watch)
    assert err == 'error: rank 1 of 4: no x.pth'
    assert told == 'error: rank 1 of 4: no x.pth'
    assert not joined or watch.reasons == ['no x.pth']


@pytest.mark.parametrize(
    'error, in_loop', [(ValueError('bad frame'), True), (RuntimeError('disk'), True), (RuntimeError('disk'), False)]
)
def test_others_get_a_traceback(fail, error, in_loop):
    err, told = fail(error, Watch(first=True), in_loop)
    lines = err.splitlines()
    assert lines[0] == TRACE
    assert lines[-2] == f'{type(error).__name__}: {error}'
    assert lines[-1] == f'error: rank 1 of 4: {error}'
    assert told == err


def test_who_fails_later_is_silent(fail):
    """It has met the same, or that the first one is gone."""
    assert fail(RuntimeError('gone'), Watch(first=False)) == ('', None)


def test_a_rank_leaves_when_all_went_well(monkeypatch):
    watch = Watch(first=True)
    monkeypatch.setattr(RankWatch, 'current', watch)
    with ending_job('none'):
        pass
    assert watch.left and not watch.reasons


def test_a_single_process_raises():
    with pytest.raises(ValueError, match='as it is'), ending_job('none'):
        raise ValueError('as it is')
