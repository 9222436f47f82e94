# Copyright (c) mmrdn contributors. All rights reserved.
import _thread
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from typing import NoReturn

import torch.distributed as dist

GRACE = 5.0  # seconds that a launcher has to end the job, before ranks do


class RankWatch(threading.Thread):
    """Thread that ends this rank when another one has failed or fallen silent.

    Launchers end only the ranks on machines that they see, and torch's process groups give up after
    their timeout, minutes later. This thread counts up in the store of the job, whatever the main
    thread waits for, and checks whether the next rank's count moves and whether any rank has recorded
    a failure. The first rank also learns of signals to other ranks.

    Args:
        store (Store): Store of the job, from :func:`job_store`.
        rank (int): Rank of this process.
        size (int): Number of ranks.
        interval (float): Seconds between two looks.
        patience (float): Seconds of silence after which a rank is dead. Much more than one call
            takes that keeps Python's lock, such as parsing a JSON file of a gigabyte.
    """

    current: 'RankWatch | None' = None  # that of this process

    def __init__(self, store: dist.Store, rank: int, size: int, interval: float = 1.0, patience: float = 180.0) -> None:
        super().__init__(name='rank watch', daemon=True)
        self.store = store
        self.rank = rank
        self.size = size
        self.interval = interval
        self.patience = patience
        self._done = threading.Event()
        self._asks = False

    def ask_to_end(self) -> None:
        """Let a signal to this rank end the first one, which ends the others."""
        self._asks = True

    def fail(self, reason: str) -> bool:
        """Record that this rank fails, and why in one line; return whether it is the first."""
        self._done.set()
        record = f'rank {self.rank} failed: {reason}'
        try:
            return self.store.compare_set('failed', '', record) == record.encode()
        except RuntimeError:  # the store is gone, with the rank that had it
            return True

    def leave(self) -> None:
        """Wait until all ranks are done, and end the watch and the job."""
        dist.barrier()
        self._done.set()
        self.join()
        dist.destroy_process_group()
        RankWatch.current = None

    def run(self) -> None:
        """Watch until this rank is done."""
        other = (self.rank + 1) % self.size
        seen, since, reason = 0, time.monotonic(), None
        while reason is None and not self._done.wait(self.interval):
            try:
                self.store.add(f'alive {self.rank}', 1)
                asked = self.store.add('asked to end', int(self._asks))
                if self.rank == 0 and asked:
                    _thread.interrupt_main(signal.SIGTERM)
                count = self.store.add(f'alive {other}', 0)
                if count != seen:
                    seen, since = count, time.monotonic()
                elif time.monotonic() - since > self.patience:
                    self.store.compare_set('failed', '', f'rank {other} has been silent for {self.patience:g} seconds')
                if self.store.check(['failed']):
                    reason = self.store.get('failed').decode()
            except RuntimeError as error:
                reason = f'the store of the job is gone ({error})'
        if reason and not self._done.wait(GRACE):
            end_process(f'error: rank {self.rank} of {self.size} ends: {reason}')


def end_process(message: str = '') -> NoReturn:
    """Print a message and exit with status 1 at once.

    An ordinary exit waits for threads and for process groups whose other ranks may be dead.
    """
    with contextlib.suppress(ValueError):  # another thread than the main one
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler raises an error when workers end
    for worker in multiprocessing.active_children():  # of data loaders
        worker.terminate()
    with contextlib.suppress(OSError, ValueError):  # a closed pipe or a full disk
        sys.stdout.flush()
        if message:
            print(message, file=sys.stderr, flush=True)
    os._exit(1)
