# Copyright (c) mmrdn contributors. All rights reserved.
"""Compile kernels for the CPU, and run them in several threads."""

from collections.abc import Callable
from threading import Thread

import torch
from numba import njit


def kernel(**options) -> Callable[[Callable], Callable]:
    """Compile a function by numba when it is first called; keep the result on disk where that is possible.

    Args:
        **options: Options of ``numba.njit``. Python's lock is released, numbers divide as numpy's do.
    """
    options = dict(nogil=True, error_model='numpy') | options

    def decorate(function: Callable) -> Callable:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # neither the package nor the home directory can be written
            return njit(**options)(function)

    return decorate


def run_in_ranges(function: Callable[[int, int], None], num: int, grain: int = 1) -> None:
    """Call ``function(first, last)`` for ranges that cover ``range(num)``, each in its own thread.

    The threads live for one call: a pool that outlives it would be dead in a forked process, and
    takes no more work once the main thread has ended.

    Args:
        function (callable): Compiled code that releases Python's lock.
        num (int): Number of items.
        grain (int): Fewest items that are worth a thread.
    """
    parts = max(1, min(torch.get_num_threads(), num // grain))
    if parts == 1:
        function(0, num)
        return
    bounds = [num * i // parts for i in range(parts + 1)]
    others = [Thread(target=function, args=span) for span in zip(bounds[1:], bounds[2:])]
    for other in others:
        other.start()
    function(bounds[0], bounds[1])
    for other in others:
        other.join()
