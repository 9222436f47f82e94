# Copyright (c) mmrdn contributors. All rights reserved.
"""Errors, warnings and Ctrl-C of a command: one line each."""

import functools
import os
import sys
import warnings
from collections.abc import Callable

from mmrdn.utils.text import printable

# Errors that bad input raises, in our code and in the libraries below.
USER_ERRORS = (ValueError, OSError, TypeError, KeyError, ImportError, AssertionError)


def one_line_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Let a command end with one line instead of a stack trace.

    Warnings get one line too, and so does Ctrl-C, with status 130. ``MMRDN_TRACEBACK=1`` in the
    environment shows the trace of an error.

    Args:
        main (callable): Command; what it raises for bad input ends the process with status 1.
    """

    @functools.wraps(main)
    def wrapper() -> None:
        warnings.showwarning = _show_warning
        try:
            main()
        except KeyboardInterrupt as interrupt:
            print(str(interrupt) or 'interrupted', file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            unexplained = isinstance(error, AssertionError) and not str(error)
            if unexplained or not is_user_error(error) or os.environ.get('MMRDN_TRACEBACK') == '1':
                raise
            print(f'error: {describe(error)}', file=sys.stderr)
            sys.exit(1)

    return wrapper


def is_user_error(error: BaseException) -> bool:
    """Return whether an error needs no stack trace: bad input, or a data loader's dead worker."""
    return isinstance(error, USER_ERRORS) or _is_dead_worker(error)


def _is_dead_worker(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and str(error).startswith('DataLoader worker (pid')


def _show_warning(message, category, filename, lineno, *args) -> None:
    """Print one line, without the source line that Python adds."""
    print(f'warning: {printable(str(message))}', file=sys.stderr)


def describe(error: BaseException) -> str:
    """Return the message of an error in one line, see :func:`printable`."""
    text = str(error) or type(error).__name__
    if isinstance(error, KeyError):
        text = str(error.args[0]) if error.args else 'missing key'
        if not any(c.isspace() for c in text):
            text = f'missing key "{text}"'
    if _is_dead_worker(error):
        text = text.split(' It is possible')[0].split(' Details are lost')[0].rstrip('. ')
        text += '. Was it killed, or did memory or /dev/shm run out? Fewer num_workers of the data loader need less'
    if 'Original Traceback' in text:  # of a data loader's worker process
        text = text.strip().splitlines()[-1].split(': ', 1)[-1]
    text = text.split(' More details can be found at')[0]  # of a registry
    return printable(text)
