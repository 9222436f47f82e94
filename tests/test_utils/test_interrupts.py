# Copyright (c) mmrdn contributors. All rights reserved.
import os
import signal
import threading

import pytest

from mmrdn.utils.interrupts import hold_interrupts


@pytest.fixture(autouse=True)
def handler():
    """Python's own, also where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_takes_effect_after_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with hold_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            done.append('the rest of the block')
        done.append('what follows')
    assert done == ['the rest of the block']
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nothing_happens_without_one():
    with hold_interrupts():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_errors_of_the_block_come_first():
    with pytest.raises(ValueError), hold_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        raise ValueError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ignored_ones_stay_ignored():
    """As in a background job of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with hold_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_left_alone():
    """Only the main thread may set handlers."""
    errors = []

    def work():
        try:
            with hold_interrupts():
                pass
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors
