# Copyright (c) mmrdn contributors. All rights reserved.
"""What a rank says when it fails; its end is noted, not carried out."""

import json

import pytest
from mmengine.runner.base_loop import BaseLoop

from mmrdn.engine.distributed import rank_errors as job_errors
from mmrdn.engine.distributed.rank_errors import ends_job
from mmrdn.engine.distributed.rank_watch import RankWatch

TRACE = 'Traceback (most recent call last):'


class Watch:
    """Of a job in which this rank is the first to fail, or not."""

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
def fail(monkeypatch, capsys, tmp_path):
    """Let rank 1 of 4 fail: what it prints, and what torchrun gets."""

    def end():
        raise Ended

    def call(error, watch, in_loop=False):
        monkeypatch.setattr(job_errors, 'this_rank', lambda: (1, 4))
        monkeypatch.setattr(job_errors, 'end_process', end)
        monkeypatch.setattr(job_errors.time, 'sleep', lambda seconds: None)
        monkeypatch.setattr(RankWatch, 'current', watch)
        path = tmp_path / 'error.json'
        monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(path))

        def main():
            if in_loop:
                Loop(error).run()
            raise error

        with pytest.raises(Ended):
            ends_job(main)()
        told = None
        if path.exists():
            message = json.loads(path.read_text())['message']
            told = message['extraInfo']['py_callstack']
        return capsys.readouterr().err, told

    return call


@pytest.mark.parametrize('joined', [True, False])
def test_bad_input_gets_one_line(fail, joined):
    watch = Watch(first=True) if joined else None
    err, told = fail(FileNotFoundError('no x.pth'), watch)
    assert err == 'error: rank 1 of 4: no x.pth\n'
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
    assert told == err.rstrip()


def test_who_fails_later_is_silent(fail):
    """It has met the same, or that the first one is gone."""
    assert fail(RuntimeError('gone'), Watch(first=False)) == ('', None)


def test_a_rank_leaves_when_all_went_well(monkeypatch):
    watch = Watch(first=True)
    monkeypatch.setattr(RankWatch, 'current', watch)
    ends_job(lambda: None)()
    assert watch.left and not watch.reasons


def test_a_single_process_raises():

    def main():
        raise ValueError('as it is')

    with pytest.raises(ValueError, match='as it is'):
        ends_job(main)()
