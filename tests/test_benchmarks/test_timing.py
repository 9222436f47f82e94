# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
import time

import pytest

from mmrdn.benchmarks.timing import Stages, summary, take_turns


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])
    return now


def test_contenders_take_turns(clock):
    order, seconds = [], iter([9, 9, 1, 10, 2, 20])

    def run(name):
        order.append(name)
        clock[0] += next(seconds)

    times = take_turns(dict(a=lambda: run('a'), b=lambda: run('b')), 2)
    assert ''.join(order) == 'ababab'  # the first round warms up
    assert times == dict(a=dict(median=1.5, min=1, max=2, repeats=2), b=dict(median=15, min=10, max=20, repeats=2))


def test_median_and_spread_by_hand():
    assert summary([3.0, 1.0, 7.0]) == dict(median=3.0, min=1.0, max=7.0, repeats=3)
    assert summary([4.0, 1.0])['median'] == 2.5


def test_a_stage_leaves_out_those_within_it(clock):

    class Model:
        def outer(self, wait):
            clock[0] += 1
            self.inner()
            clock[0] += wait
            return 'result'

        def inner(self):
            clock[0] += 5

    model, stages = Model(), Stages()
    with stages.watching((model, 'outer', 'out'), (model, 'inner', 'in')):
        assert model.outer(2) == 'result'
        model.inner()
    model.inner()  # not watched any more
    assert stages.seconds == dict(out=3.0, **{'in': 10.0})


def test_stages_survive_an_error(clock):
    stages = Stages()
    for _ in itertools.repeat(None, 2):
        with pytest.raises(KeyError), stages.watch('x'):
            clock[0] += 1
            raise KeyError
    assert stages.seconds == dict(x=2.0)
