# Copyright (c) mmrdn contributors. All rights reserved.
import multiprocessing
import os
import sys
import threading
import time
from typing import NoReturn, Optional

import torch.distributed as dist

from mmrdn.engine.distributed.ranks import job_store, this_rank

GRACE = 5.0  # seconds that a launcher has to end the job, before ranks do


class RankWatch:
    """Ends this rank when another one has failed or fallen silent.

    A rank that dies leaves the others waiting in a collective operation, with NCCL for as long as
    its timeout. ``torchrun`` and ``srun --kill-on-bad-exit`` end them, each on the machines that it
    sees. This works without: a thread of every rank counts up in the store of the job, whatever the
    main thread waits for, and looks whether the next rank's count moves, and whether any rank noted
    that it failed.

    Args:
        interval (float): Seconds between two looks.
        patience (float): Seconds of silence after which a rank is dead. Much more than one call
            takes that keeps Python's lock, such as parsing a JSON file of a gigabyte.
    """

    current: Optional['RankWatch'] = None  # that of this process

    def __init__(self, interval: float = 1.0, patience: float = 180.0) -> None:
        self.rank, self.size = this_rank()
        self.store: dist.Store = job_store()
        self.interval = interval
        self.patience = patience
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name='rank watch', daemon=True)

    @classmethod
    def begin(cls) -> None:
        """Watch from now on, if there are other ranks."""
        if cls.current is None and this_rank()[1] > 1:
            cls.current = cls()
            cls.current._thread.start()

    def fail(self, reason: str) -> bool:
        """Note that this rank fails.

        Args:
            reason (str): One line.

        Returns:
            bool: Whether it is the first one.
        """
        self._stop.set()
        note = f'rank {self.rank} failed: {reason}'
        try:
            return self.store.compare_set('failed', '', note) == note.encode()
        except RuntimeError:  # the store is gone, with the rank that had it
            return True

    def leave(self) -> None:
        """Say that this rank is done; where the store is, wait for all."""
        everyone = [f'left {rank}' for rank in range(self.size)]
        try:
            self.store.set(f'left {self.rank}', 'yes')
            while self.rank == 0 and not self.store.check(everyone):
                time.sleep(0.1)
        except RuntimeError:  # the store is gone: the job is over
            pass
        self._stop.set()
        self._thread.join()
        dist.destroy_process_group()
        RankWatch.current = None

    def _watch(self) -> None:
        other = (self.rank + 1) % self.size
        count, moved = 0, time.monotonic()
        while not self._stop.wait(self.interval):
            try:
                self.store.add(f'alive {self.rank}', 1)
                seen = self.store.add(f'alive {other}', 0)
                if seen != count or self.store.check([f'left {other}']):
                    count, moved = seen, time.monotonic()
                if time.monotonic() - moved > self.patience:
                    self.store.compare_set('failed', '', f'rank {other} has been silent for {self.patience:g} seconds')
                if self.store.check(['failed']):
                    self._end(self.store.get('failed').decode())
            except RuntimeError as error:
                self._end(f'the store of the job is gone ({error})')

    def _end(self, reason: str) -> None:
        if self._stop.wait(GRACE):
            return
        print(f'error: rank {self.rank} of {self.size} ends: {reason}', file=sys.stderr)
        end_process()


def end_process() -> NoReturn:
    """Exit with status 1 at once.

    An ordinary exit waits for threads and for process groups whose other ranks may be dead.
    """
    children: list = multiprocessing.active_children()  # data loader workers
    for child in children:
        child.terminate()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed
            pass
    os._exit(1)
