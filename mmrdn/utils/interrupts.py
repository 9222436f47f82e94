# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def hold_interrupts() -> Iterator[None]:
    """Let Ctrl-C take effect after the block, not within it.

    So files that belong together are all written. Outside of the main thread, where Python handles
    no signals, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came = []
    signal.signal(signal.SIGINT, lambda *args: came.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(*came[0])


def end_as_ctrl_c_does() -> None:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does.

    One that is ignored, as nohup lets SIGHUP be, stays ignored.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
