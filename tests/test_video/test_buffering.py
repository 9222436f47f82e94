# Copyright (c) mmrdn contributors. All rights reserved.
import threading

import pytest

from mmrdn.video import Frame, FrameBuffer, prefetch


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
    """The next item is made while the last one is worked on."""
    made = [threading.Event() for _ in range(10)]

    def items():
        for event in made:
            event.set()
            yield threading.current_thread()

    for i, thread in enumerate(prefetch(items())):
        assert thread is not threading.current_thread()
        assert all(event.wait(timeout=30) for event in made[: i + 2])


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


@pytest.mark.parametrize('behind', [0, 1, 3])
@pytest.mark.parametrize('late', [0, 1, 4])
def test_holds_what_is_needed_and_no_more(behind, late):
    """Against a plain list; images are numbers here."""
    buffer, taken = FrameBuffer(behind), 0
    for i in range(10 + late):
        if i < 10:
            buffer.add(Frame(i, i, i / 25))
        if i < late:
            continue
        frame, images = buffer.take()
        newest = min(i, 9)
        expected = range(max(0, taken - behind), newest + 1)
        assert frame.index == taken
        assert images == {j - taken: j for j in expected}
        taken += 1
        assert len(buffer) <= behind + late + 1
        assert buffer.num_waiting == newest + 1 - taken
    assert taken == 10
