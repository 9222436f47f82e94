# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Sequence

import torch.distributed as dist
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console

from mmrdn.engine.distributed.ranks import job_store
from mmrdn.registry import HOOKS
from mmrdn.utils.frame_progress import FrameProgress


@HOOKS.register_module()
class ShardProgressHook(Hook):
    """Shows how many frames all ranks together have tested or validated.

    Ranks test different numbers of frames. Each adds its frames to a counter in the store of the job,
    which blocks no rank; rank 0 shows the sum, also after its own videos are done. All ranks wait here
    for the last one, as a wait in the collection of results would end with the process group's timeout.

    Args:
        interval (float): Seconds between two reports of a rank.
        timeout (float): Seconds without a frame of any rank after which those that wait give up, as
            torch's process groups do.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: float = 0.25, timeout: float = 1800.0) -> None:
        self.interval = interval
        self.timeout = timeout
        self._progress: FrameProgress | None = None
        self._shown = contextlib.ExitStack()

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Count from 0."""
        if mode == 'train':
            return
        loader, title = getattr(runner, f'{mode}_dataloader'), 'validation' if mode == 'val' else 'testing'
        rank, self._size = get_dist_info()
        store = job_store()
        # Every runner of a job has its own hook, all share the store.
        run = store.add(f'{title} runs of rank {rank}', 1)
        self._counts = dist.PrefixStore(f'{title} {run}', store)
        self._batch_size = loader.batch_size or 1
        self._batches = len(loader)
        self._frames = min(len(loader.sampler), self._batches * self._batch_size)
        self._reported, self._time = 0, time.monotonic()
        self._counts.add('total', self._frames)
        self._counts.add('ranks', 1)
        self._end()
        if rank == 0:
            self._progress = FrameProgress(title, Console(), rate=True)
            self._shown.enter_context(self._progress)
            self._shown.enter_context(logging_beside(self._progress.console, runner.logger))
        if not self._batches:
            self._wait()

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | Sequence | None = None,
        mode: str = 'train',
    ) -> None:
        """Report; after the last frame wait for the other ranks."""
        if mode == 'train':
            return
        last, now = batch_idx + 1 >= self._batches, time.monotonic()
        if now - self._time < self.interval and not last:
            return
        self._time = now
        done = min((batch_idx + 1) * self._batch_size, self._frames)
        self._counts.add('done', done - self._reported)
        self._reported = done
        if last:
            self._wait()
        else:
            self._show()

    def _wait(self) -> None:
        before, since = None, time.monotonic()
        while not self._show():
            done = self._counts.add('done', 0)
            if done != before:
                before, since = done, time.monotonic()
            elif time.monotonic() - since > self.timeout:
                self._end()
                raise RuntimeError(f'no rank has finished a frame for {self.timeout:g} s: one is stuck')
            time.sleep(self.interval)
        self._end()

    def _show(self) -> bool:
        """Show the sum; return whether every rank is done."""
        done = self._counts.add('done', 0)
        if self._counts.add('ranks', 0) < self._size:  # a rank has not begun: the total is not known
            return False
        total = self._counts.add('total', 0)
        if self._progress is not None:
            self._progress.update(done, total)
        return done == total

    def _end(self) -> None:
        self._shown.close()
        self._progress = None


@contextlib.contextmanager
def logging_beside(console: Console, logger: logging.Logger) -> Iterator[None]:
    """Let a logger write above a progress bar, without the progress of this rank alone.

    Args:
        console (Console): Console of the bar. On a terminal its cursor stays visible, as a launcher
            may kill this process.
        logger (logging.Logger): Logger of the runner. Its file gets all lines.
    """
    handlers = [handler for handler in logger.handlers if type(handler) is logging.StreamHandler]
    streams = [handler.stream for handler in handlers]
    console.show_cursor(True)
    for handler in handlers:
        handler.addFilter(_is_no_iteration)
        if console.is_terminal and handler.stream is console.file:
            handler.setStream(sys.stdout)  # Rich's, while it draws
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams):
            handler.removeFilter(_is_no_iteration)
            handler.setStream(stream)


def _is_no_iteration(record: logging.LogRecord) -> bool:
    """Return whether a record does not come from MMEngine's ``LoggerHook`` after an iteration."""
    return record.funcName not in ('after_val_iter', 'after_test_iter')
