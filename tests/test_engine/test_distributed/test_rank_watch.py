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
    """Makes the watches of some ranks; begun ones are stopped at the end."""
    made = []
    monkeypatch.setattr(rank_watch, 'GRACE', 0.05)
    monkeypatch.setattr(dist, 'destroy_process_group', lambda: None)

    def make(size, patience=60.0):
        store, ended = dist.HashStore(), {}
        monkeypatch.setattr(rank_watch, 'job_store', lambda: store)
        for rank in range(size):
            monkeypatch.setattr(rank_watch, 'this_rank', lambda: (rank, size))
            watch = RankWatch(interval=0.02, patience=patience)
            made.append(watch)

            def end(watch=watch):
                ended[watch.rank] = time.monotonic()
                watch._stop.set()

            watch._end_process = end
        monkeypatch.setattr(
            rank_watch,
            'end_process',
            lambda: next(w._end_process() for w in made if w._thread is threading.current_thread()),
        )
        return made, ended

    yield make
    for watch in made:
        watch._stop.set()


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_all_end_when_one_has_failed(watches, capsys):
    ranks, ended = watches(4)
    for watch in ranks:
        watch._thread.start()
    assert ranks[2].fail('no disk')
    assert not ranks[1].fail('broken pipe')  # it is the second
    wait_for(lambda: len(ended) == 2)
    assert set(ended) == {0, 3}  # 1 and 2 fail on their own
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines == [f'error: rank {rank} of 4 ends: rank 2 failed: no disk' for rank in (0, 3)]


def test_a_rank_that_falls_silent(watches, capsys):
    ranks, ended = watches(3, patience=1.0)
    for watch in ranks:
        watch._thread.start()
    time.sleep(1.5)
    assert not ended  # as long as all are alive
    ranks[1]._stop.set()  # as if it had been killed
    wait_for(lambda: len(ended) == 2)
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines == [f'error: rank {rank} of 3 ends: rank 1 has been silent for 1 seconds' for rank in (0, 2)]


def test_the_rank_with_the_store_leaves_last(watches):
    ranks, ended = watches(3, patience=1.0)
    for watch in ranks:
        watch._thread.start()
    first = threading.Thread(target=ranks[0].leave, daemon=True)
    first.start()
    ranks[1].leave()
    time.sleep(1.5)  # rank 1 is silent now, and that is right
    assert first.is_alive() and not ended
    ranks[2].leave()
    first.join(timeout=20)
    assert not first.is_alive() and not ended


def test_no_watch_of_a_single_process():
    RankWatch.begin()
    assert RankWatch.current is None
