# Copyright (c) mmrdn contributors. All rights reserved.
"""Times of contenders that take turns, so that noise hits all alike."""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(run: Callable[[], Any]) -> float:
    """Time a run; with a GPU, between two events on it."""
    if not torch.cuda.is_available():
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    synchronize()
    begin.record()
    run()
    end.record()
    synchronize()
    return begin.elapsed_time(end) / 1e3


def take_turns(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Run A, B, C, A, B, C ... after one round to warm up.

    Args:
        contenders (dict[str, callable]): Functions to run, by name.
        repeats (int): Rounds that count.

    Returns:
        dict[str, list[float]]: Seconds of each run.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(repeats + 1):
        for name, run in contenders.items():
            spent = seconds(run)
            if i > 0:
                times[name].append(spent)
    return times


def summary(times: Sequence[float]) -> dict[str, float]:
    """Return the median and the spread of seconds, and their number."""
    return dict(median=statistics.median(times), min=min(times), max=max(times), repeats=len(times))


class Stages:
    """Seconds that methods of objects take; those of a method called within do not count twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[float] = []

    @contextlib.contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        synchronize()
        start = time.perf_counter()
        self._open.append(0.0)
        try:
            yield
        finally:
            synchronize()
            spent = time.perf_counter() - start
            own = spent - self._open.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            if self._open:
                self._open[-1] += spent

    @contextlib.contextmanager
    def watching(self, *parts: tuple[Any, str, str]) -> Iterator[None]:
        """Watch methods for a while.

        Args:
            *parts (tuple[Any, str, str]): Object, name of its method, name of the stage.
        """
        for owner, method, name in parts:
            object.__setattr__(owner, method, self._watched(getattr(owner, method), name))
        try:
            yield
        finally:
            for owner, method, _ in parts:
                object.__delattr__(owner, method)

    def _watched(self, original: Callable, name: str) -> Callable:

        def run(*args, **kwargs):
            with self.watch(name):
                return original(*args, **kwargs)

        return run
