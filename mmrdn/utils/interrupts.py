# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A launcher signals workers of data loaders too: torch's handler raises an error when one has died.
_HELD = (*ENDING, signal.SIGCHLD)


@contextlib.contextmanager
def hold_interrupts(on_signal: Callable[[], None] | None = None) -> Iterator[None]:
    """Let signals that end this process take effect after the block, not within it.

    So files that belong together are all written. Of several signals one takes effect; the end of a
    child process only if there is no other. Signals that Python does not handle, and threads
    other than the main one, where it handles none, are left alone.

    Args:
        on_signal (callable, optional): Function that is called whenever one to this process comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _HELD}
    came: list[tuple] = []

    def hold(*args) -> None:
        came.append(args)
        if on_signal is not None and args[0] in ENDING:
            on_signal()

    with contextlib.ExitStack() as restored:
        for number, handler in handlers.items():
            if callable(handler):
                restored.callback(signal.signal, number, handler)
                signal.signal(number, hold)
        yield
    if came:
        number, frame = min(came, key=lambda args: _HELD.index(args[0]))
        handlers[number](number, frame)  # type: ignore[operator, misc]


def end_as_ctrl_c_does() -> None:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does.

    After the first signal these two are ignored: a closed terminal sends both, a supervisor may
    send one twice, and what is written at the end would be lost. A second Ctrl-C still works. Signals
    that are ignored, as SIGHUP is under nohup, stay ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for other in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(other) != signal.SIG_IGN:
            signal.signal(other, lambda *args: None)  # of SIG_IGN Python complains if one is on its way
    raise KeyboardInterrupt
