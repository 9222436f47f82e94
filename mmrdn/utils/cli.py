# Copyright (c) mmrdn contributors. All rights reserved.
import functools
import os
import sys
import warnings
from collections.abc import Callable

# What bad input raises, in our code and in the libraries below.
USER_ERRORS = (ValueError, OSError, TypeError, KeyError, ImportError, AssertionError)


def one_line_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Let a command end with one line instead of a stack trace.

    Warnings get one line too. ``MMRDN_TRACEBACK=1`` in the environment shows the trace.

    Args:
        main (callable): The command; what it raises for bad input ends the process with status 1.
    """

    @functools.wraps(main)
    def wrapper() -> None:
        warnings.showwarning = _show_warning
        try:
            main()
        except USER_ERRORS as error:
            unexplained = isinstance(error, AssertionError) and not str(error)
            if unexplained or os.environ.get('MMRDN_TRACEBACK') == '1':
                raise
            print(f'error: {describe(error)}', file=sys.stderr)
            sys.exit(1)

    return wrapper


def _show_warning(message, category, filename, lineno, *args) -> None:
    """One line, without the source line that Python adds."""
    print(f'warning: {" ".join(str(message).split())}', file=sys.stderr)


def describe(error: BaseException) -> str:
    """The message of an error in one line."""
    text = str(error) or type(error).__name__
    if isinstance(error, KeyError):
        text = str(error.args[0]) if error.args else 'missing key'
        if not any(c.isspace() for c in text):
            text = f'missing key "{text}"'
    if 'Original Traceback' in text:  # of a data loader's worker process
        text = text.strip().splitlines()[-1].split(': ', 1)[-1]
    text = text.split(' More details can be found at')[0]  # of a registry
    return ' '.join(text.split())
