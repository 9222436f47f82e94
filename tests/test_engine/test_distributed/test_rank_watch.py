# Copyright (c) mmrdn contributors. All rights reserved.
"""Ranks that share a store, in one process: an end is noted, not carried
out."""

import threading
import time

import pytest
import torch.distributed as dist

from mmrdn.engine.distributed import rank_watch
from mmrdn.engine.distributed.rank_watch import RankWatch


@pytest.fixture
def watches(monkeypatch):
    """Begins the watches of some ranks, which are stopped at the end."""
    made, ended = [], []
    monkeypatch.setattr(rank_watch, 'GRACE', 0.05)
    monkeypatch.setattr(dist, 'destroy_process_group', lambda: None)
    monkeypatch.setattr(rank_watch, 'end_process', ended.append)

    def make(size, patience=60.0):
        store, everyone = dist.HashStore(), threading.Barrier(size)
        monkeypatch.setattr(dist, 'barrier', everyone.wait)
        made.extend(RankWatch(store, rank, size, interval=0.02, patience=patience) for rank in range(size))
        for watch in made:
            watch.start()
        return made, ended

    yield make
    for watch in made:
        watch._done.set()


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_all_end_when_one_has_failed(watches):
    ranks, ended = watches(4)
    assert ranks[2].fail('no disk')
    assert not ranks[1].fail('broken pipe')  # it is the second
    wait_for(lambda: len(ended) == 2)
    # 1 and 2 fail on their own.
    assert sorted(ended) == [f'error: rank {rank} of 4 ends: rank 2 failed: no disk' for rank in (0, 3)]


@pytest.mark.slow
def test_a_rank_that_falls_silent(watches):
    ranks, ended = watches(3, patience=1.0)
    time.sleep(1.5)
    assert not ended  # as long as all are alive
    ranks[1]._done.set()  # as if it had been killed
    wait_for(lambda: len(ended) == 2)
    assert sorted(ended) == [f'error: rank {rank} of 3 ends: rank 1 has been silent for 1 seconds' for rank in (0, 2)]


@pytest.mark.slow
def test_no_rank_leaves_before_all_are_done(watches):
    ranks, ended = watches(3, patience=1.0)
    leaving = [threading.Thread(target=watch.leave, daemon=True) for watch in ranks]
    for thread in leaving[:2]:
        thread.start()
    time.sleep(1.5)  # longer than the patience
    assert all(thread.is_alive() for thread in leaving[:2]) and not ended
    leaving[2].start()
    for thread in leaving:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in leaving + ranks) and not ended
