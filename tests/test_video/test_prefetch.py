# Copyright (c) mmrdn contributors. All rights reserved.
import threading
import time

import pytest

from mmrdn.video import prefetch


def test_items_in_order_and_never_far_ahead():
    taken = []

    def numbers():
        for i in range(50):
            taken.append(i)
            yield i

    got = []
    for i in prefetch(numbers(), depth=2):
        got.append(i)
        # Two wait, one is being handed over, one was just taken out.
        assert len(taken) - len(got) <= 4
    assert got == list(range(50))


def test_runs_ahead_in_a_thread():
    """Two slow sides take the time of one."""

    def slow():
        for i in range(10):
            time.sleep(.03)
            yield threading.current_thread()

    start = time.time()
    for thread in prefetch(slow()):
        assert thread is not threading.current_thread()
        time.sleep(.03)
    assert time.time() - start < .5  # one after the other: 0.6 s


def test_errors_come_through():

    def broken():
        yield 1
        raise ValueError('frame 1 is broken')

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match='frame 1 is broken'):
        next(items)


def test_closing_ends_the_thread_and_the_iterator():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread().name)

    before = threading.active_count()
    items = prefetch(endless())
    next(items)
    items.close()
    assert closed == ['prefetch'] and threading.active_count() == before
