# Copyright (c) mmrdn contributors. All rights reserved.
"""Ranks are threads here that share a store."""

import contextlib
import io
import logging
import re
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch.distributed as dist
from mmengine.hooks import LoggerHook
from rich.console import Console

from mmrdn.engine import ShardProgressHook
from mmrdn.engine.hooks import shard_progress_hook
from mmrdn.engine.hooks.shard_progress_hook import logging_beside
from mmrdn.utils.frame_progress import FrameProgress


class Loader:
    """The part of a data loader that the hook asks."""

    def __init__(self, frames, batch_size=1):
        self.sampler = range(frames)
        self.batch_size = batch_size

    def __len__(self):
        return -(-len(self.sampler) // self.batch_size)


def play(shards, monkeypatch, pause=0.0, batch_size=1, kind='test'):
    """Test ``shards[r]`` frames in thread r, rank r pausing ``r * pause``
    seconds a frame: what rank 0 shows, and when each rank was done."""
    store, out, ends = dist.HashStore(), io.StringIO(), {}
    ranks = threading.local()
    monkeypatch.setattr(shard_progress_hook, 'get_dist_info', lambda: (ranks.number, len(shards)))
    monkeypatch.setattr(shard_progress_hook, 'job_store', lambda: store)
    monkeypatch.setattr(shard_progress_hook, 'Console', lambda: Console(file=out, width=100))

    def rank(number):
        ranks.number = number
        loader = Loader(shards[number], batch_size)
        runner = SimpleNamespace(logger=logging.getLogger('none'), **{f'{kind}_dataloader': loader})
        for _ in range(2):  # a second runner counts from 0 again
            hook = ShardProgressHook(interval=0.01)
            getattr(hook, f'before_{kind}_epoch')(runner)
            for i in range(len(loader)):
                time.sleep(number * pause)
                getattr(hook, f'after_{kind}_iter')(runner, i)
            ends.setdefault(number, []).append(time.monotonic())

    threads = [threading.Thread(target=rank, args=(i,), daemon=True) for i in range(len(shards))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return out.getvalue().splitlines(), ends


@pytest.mark.parametrize('shards', [[7], [10, 5], [3, 11], [4, 1, 9], [5, 0]])
def test_all_ranks_are_counted(shards, monkeypatch):
    lines, ends = play(shards, monkeypatch, pause=0.02)
    counts = [tuple(map(int, re.match(r'testing (\d+)/(\d+) frames', line).groups())) for line in lines]
    assert {total for _, total in counts} == {sum(shards)}
    done = [count for count, _ in counts]
    both = done.index(sum(shards)) + 1  # where the first run ends
    for run in (done[:both], done[both:]):
        assert run == sorted(set(run)) and run[-1] == sum(shards)


def test_rank_0_waits_and_shows_what_the_others_do(monkeypatch):
    start = time.monotonic()
    lines, ends = play([2, 10], monkeypatch, pause=0.03)
    counts = [int(re.match(r'testing (\d+)', line).group(1)) for line in lines]
    assert len({count for count in counts if count > 2}) >= 3
    assert ends[0][0] - start > 10 * 0.03  # its own frames take no time


def test_batches_and_validation(monkeypatch):
    lines, _ = play([5, 3], monkeypatch, batch_size=2, kind='val')
    assert lines[-1].startswith('validation 8/8 frames')


@contextlib.contextmanager
def progress(terminal=False):
    """A bar beside a logger: both, what goes to the terminal and to the log file."""
    logger = logging.Logger('a', logging.INFO)
    out, log = io.StringIO(), io.StringIO()
    logger.addHandler(logging.StreamHandler(out))
    logger.addHandler(logging.FileHandler('/dev/null'))
    logger.handlers[1].stream = log
    bar = FrameProgress('testing', Console(file=out, width=100, force_terminal=terminal), rate=True)
    with bar, logging_beside(bar.console, logger):
        yield bar, logger, out, log


def test_lines_of_one_rank_go_to_the_log_file_alone():
    shard = 'Iter(test) [ 5/10]    eta: 0:00:01  time: 0.1  data_time: 0.1  '
    result = 'Iter(test) [10/10]    vid/mAP50: 0.5  data_time: 0.1  time: 0.1'
    interval = LoggerHook(interval=5)
    log_processor = SimpleNamespace(get_log_after_iter=lambda *args: ({}, shard))
    with progress() as (_, logger, out, log):
        runner = SimpleNamespace(logger=logger, log_processor=log_processor)
        interval.after_test_iter(runner, 4)
        logger.info('something else')
        logger.info(result)
    interval.after_test_iter(runner, 9)
    assert out.getvalue().splitlines() == ['something else', result, shard]
    assert log.getvalue().splitlines() == [shard, 'something else', result, shard]


def test_rate_and_time_left(monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    now = 0
    with progress() as (bar, _, out, _):
        monkeypatch.setattr(bar._bar, 'get_time', lambda: now)
        for done in (0, 2, 10, 22, 30, 200):
            now = next(clock)
            bar.update(done, 200)
        now += 61  # a minute without a tenth
        bar.update(201, 1000)
    assert [line.split(', ')[0] for line in out.getvalue().splitlines()] == [
        'testing 22/200 frames',
        'testing 200/200 frames',
        'testing 201/1000 frames',
    ]
    # From 2 to 22 frames in 20 seconds, 178 are left.
    _, speed, left = out.getvalue().splitlines()[0].split(', ')
    assert speed == '1.0 fps' and left == '0:02:58 left'


def test_the_cursor_stays_visible():
    with progress(terminal=True) as (bar, _, out, _):
        bar.update(1, 2)
        shown = out.getvalue()
    assert shown.rindex('\x1b[?25h') > shown.rindex('\x1b[?25l')


def test_what_is_logged_goes_above_the_bar():
    with progress(terminal=True) as (bar, logger, out, _):
        bar.update(1, 2)
        assert logger.handlers[0].stream is sys.stdout
    assert logger.handlers[0].stream is out


def test_nothing_before_every_rank_has_begun(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(shard_progress_hook, 'get_dist_info', lambda: (0, 2))
    monkeypatch.setattr(shard_progress_hook, 'job_store', dist.HashStore)
    monkeypatch.setattr(shard_progress_hook, 'Console', lambda: Console(file=out, width=100))
    runner = SimpleNamespace(logger=logging.getLogger('none'), test_dataloader=Loader(200))
    hook = ShardProgressHook(interval=0)
    hook.before_test_epoch(runner)
    hook.after_test_iter(runner, 150)
    assert out.getvalue() == ''


def test_a_stuck_rank_is_not_waited_for_forever(monkeypatch):
    """Rank 1 of two has begun and does nothing."""
    store, number = dist.HashStore(), [1]
    monkeypatch.setattr(shard_progress_hook, 'get_dist_info', lambda: (number[0], 2))
    monkeypatch.setattr(shard_progress_hook, 'job_store', lambda: store)
    runner = SimpleNamespace(logger=logging.getLogger('none'), test_dataloader=Loader(1))
    stuck = ShardProgressHook()
    stuck.before_test_epoch(runner)
    number[0] = 0
    hook = ShardProgressHook(interval=0.01, timeout=0.3)
    hook.before_test_epoch(runner)
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match=r'a frame for 0\.3 s: one is stuck'):
        hook.after_test_iter(runner, 0)
    assert 0.3 < time.monotonic() - begin < 10
