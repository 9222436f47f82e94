# Copyright (c) mmrdn contributors. All rights reserved.
"""Times of contenders that take turns, so that noise hits all alike."""

import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

from mmrdn.utils.machine import idle_time


def take_turns(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, dict[str, float]]:
    """Run A, B, C, A, B, C ... after one round to warm up.

    Args:
        contenders (dict[str, callable]): Functions to run, by name.
        repeats (int): Rounds that count.

    Returns:
        dict[str, dict[str, float]]: :func:`summary` of the seconds of each.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats + 1):
        for name, run in contenders.items():
            start = idle_time()
            run()
            times[name].append(idle_time() - start)
    return {name: summary(values[1:]) for name, values in times.items()}


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
        start = idle_time()
        self._open.append(0.0)
        try:
            yield
        finally:
            spent = idle_time() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent - self._open.pop()
            if self._open:
                self._open[-1] += spent

    @contextlib.contextmanager
    def watching(self, *parts: tuple[Any, str, str]) -> Iterator[None]:
        """Watch methods for a while.

        Args:
            *parts (tuple[Any, str, str]): Object, name of its method, name of the stage.
        """
        with contextlib.ExitStack() as stack:
            for owner, method, name in parts:
                watched = self.watch(name)(getattr(owner, method))
                stack.enter_context(mock.patch.object(owner, method, watched))
            yield
