# Copyright (c) mmrdn contributors. All rights reserved.
"""Split a loop over torch's number of threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

# Threads that live for one call only: a pool that outlives it would be dead in a forked process.


def run_in_ranges(function: Callable[[int, int], None], num: int, grain: int = 1) -> None:
    """Call ``function(first, last)`` for ranges that cover ``range(num)``, each in a thread of its own.

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
    with ThreadPoolExecutor(parts - 1) as pool:
        others = [pool.submit(function, *span) for span in zip(bounds[1:], bounds[2:])]
        function(bounds[0], bounds[1])
        for other in others:
            other.result()
