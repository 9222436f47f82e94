# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import json
import os
import time
import traceback
from collections.abc import Iterator
from typing import NoReturn

from mmengine.runner.base_loop import BaseLoop

from mmrdn.engine.distributed.rank_watch import GRACE, RankWatch, end_process
from mmrdn.engine.distributed.ranks import this_rank
from mmrdn.utils.cli import describe, is_user_error


@contextlib.contextmanager
def ending_job(launcher: str) -> Iterator[None]:
    """Let an error in the block end this process at once, and so the job of which it is a rank.

    The first rank that fails prints the error: with its traceback if it was training or testing, or
    if bad input is not the reason; otherwise, and after a signal, in one line. Other ranks print
    nothing. An error of a process without other ranks is raised to the caller.

    Args:
        launcher (str): See :func:`this_rank`.
    """
    try:
        yield
        if RankWatch.current is not None:
            RankWatch.current.leave()
    except BaseException as error:
        rank, size = this_rank(launcher)
        if size == 1 or (isinstance(error, SystemExit) and not error.code):
            raise
        _end_rank(error, rank, size)


def _end_rank(error: BaseException, rank: int, size: int) -> NoReturn:
    line = f'error: rank {rank} of {size}: {describe(error)}'
    watch = RankWatch.current
    if watch is None:
        # Nothing is shared yet: an error most likely hits all ranks, and rank 0 reports
        # it. A launcher then ends the others.
        if rank > 0:
            time.sleep(GRACE)
    elif not watch.fail(describe(error)):
        time.sleep(GRACE)  # so that launchers see who was first
        end_process()
    is_interrupt = isinstance(error, KeyboardInterrupt)
    is_bad_input = is_user_error(error) or is_interrupt
    if (in_loop(error) and not is_interrupt) or not is_bad_input or os.environ.get('MMRDN_TRACEBACK') == '1':
        line = ''.join(traceback.format_exception(error)) + line
    if not is_bad_input:
        # A connection may have broken as another rank was killed. It could not report that; a launcher
        # can, and ends this one meanwhile.
        time.sleep(1)
    path = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if path:  # torchrun's report quotes it; elastic's @record would write the traceback of any error
        extra = dict(py_callstack=line, timestamp=str(int(time.time())))
        with contextlib.suppress(OSError), open(path, 'w') as file:
            json.dump(dict(message=dict(message=line, extraInfo=extra)), file)
    end_process(line)


def in_loop(error: BaseException) -> bool:
    """Return whether an error came while a loop was training or testing."""
    return any(
        isinstance(frame.f_locals.get('self'), BaseLoop) and frame.f_code.co_name == 'run'
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )
