# Copyright (c) mmrdn contributors. All rights reserved.
"""What becomes of an error in one of several ranks."""

import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from mmengine.runner.base_loop import BaseLoop

from mmrdn.engine.distributed.rank_watch import GRACE, RankWatch, end_process
from mmrdn.engine.distributed.ranks import this_rank
from mmrdn.utils.cli import USER_ERRORS, describe


def ends_job(main: Callable[[], None]) -> Callable[[], None]:
    """Let a rank that fails end its process at once, and so its job.

    The first one that fails says so: with its traceback if it was training or testing, or if the
    error is none of bad input; else in one line. What the others meet then, or meet too, is not
    printed. An error of a process that has no other ranks goes on to the caller.

    Args:
        main (callable): A command that may be one rank of several.
    """

    @functools.wraps(main)
    def wrapper() -> None:
        try:
            main()
        except BaseException as error:
            done = isinstance(error, SystemExit) and not error.code
            if this_rank()[1] == 1 or done:
                raise
            _end_rank(error)
        if RankWatch.current is not None:
            RankWatch.current.leave()

    return wrapper


def _end_rank(error: Exception) -> NoReturn:
    rank, size = this_rank()
    line = f'error: rank {rank} of {size}: {describe(error)}'
    watch = RankWatch.current
    if watch is None:
        # Nothing is shared yet: what is wrong is wrong for all ranks, most likely, and rank 0 says
        # it. A launcher then ends the others.
        if rank > 0:
            time.sleep(GRACE)
    elif not watch.fail(describe(error)):
        time.sleep(GRACE)  # so that launchers see who was first
        end_process()
    text = line
    if in_loop(error) or not isinstance(error, USER_ERRORS) or os.environ.get('MMRDN_TRACEBACK') == '1':
        text = ''.join(traceback.format_exception(error)) + line
    if not isinstance(error, USER_ERRORS):
        # A connection may have broken as another rank was killed. It could not say so; a launcher
        # can, and ends this one meanwhile.
        time.sleep(1)
    try:
        print(text, file=sys.stderr)
        _tell_launcher(text)
    finally:  # also where nobody reads, or the disk is full
        end_process()


def in_loop(error: BaseException) -> bool:
    """Whether an error came while a loop was training or testing."""
    return any(
        isinstance(frame.f_locals.get('self'), BaseLoop) and frame.f_code.co_name == 'run'
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _tell_launcher(text: str) -> None:
    """Write the file that torchrun's report quotes."""
    path = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if path:
        extra = dict(py_callstack=text, timestamp=str(int(time.time())))
        with open(path, 'w') as file:
            json.dump(dict(message=dict(message=text, extraInfo=extra)), file)
