# Copyright (c) mmrdn contributors. All rights reserved.
import os
import signal
import threading

import pytest

from mmrdn.utils.interrupts import ENDING, end_as_ctrl_c_does, hold_interrupts


@pytest.fixture(autouse=True)
def handler():
    """Python's own, also where tests run in the background."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize('number', ENDING)
def test_each_of_the_three_takes_effect_after_the_block(number):
    done = []
    with pytest.raises(KeyboardInterrupt):
        with hold_interrupts():
            for other in (number, *ENDING):
                os.kill(os.getpid(), other)
            with hold_interrupts():
                os.kill(os.getpid(), number)
            done.append('the rest of the block')
        done.append('what follows')
    assert done == ['the rest of the block']
    assert {signal.getsignal(other) for other in ENDING} == {signal.default_int_handler}


@pytest.fixture
def child_error():
    """A handler that raises an error when a child has ended, as torch's does for workers."""

    def fail(*args):
        raise RuntimeError('a worker has died')

    before = signal.signal(signal.SIGCHLD, fail)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize('others, error', [((), RuntimeError), ((signal.SIGTERM,), KeyboardInterrupt)])
def test_the_end_of_a_child_waits_too(others, error, child_error):
    """A launcher ends a process and its workers, in any order: the process was ended, no worker failed."""
    done, seen = [], []
    with pytest.raises(error):
        with hold_interrupts(lambda: seen.append(1)):
            for number in (signal.SIGCHLD, *others):
                os.kill(os.getpid(), number)
            done.append('the rest of the block')
    assert done == ['the rest of the block'] and len(seen) == len(others)
    with pytest.raises(RuntimeError):
        os.kill(os.getpid(), signal.SIGCHLD)


@pytest.mark.parametrize('first', ENDING)
def test_the_first_signal_ends_a_process_and_only_ctrl_c_does_so_twice(first):
    end_as_ctrl_c_does()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), first)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_nohup_is_respected():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_as_ctrl_c_does()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


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
