# Copyright (c) mmrdn contributors. All rights reserved.
import logging
import re
import sys
import time

from rich.console import Console

from mmrdn.utils.frame_progress import FrameProgress

# MMEngine's line of an iteration, not that of the results.
_ITERATION = re.compile(r'^(Iter|Epoch)\((val|test)\) .*\beta: ')


class ShardProgress(FrameProgress):
    """Frames of a test that all ranks have done, of all.

    Where there is no terminal, a line comes at least once a minute. Meanwhile the logger does not
    say how far this rank alone is, except into its file, and what else it says goes above the bar.

    Args:
        title (str): Stands before the bar, one word.
        logger (logging.Logger): That of the runner.
        console (Console): Where it goes.
    """

    def __init__(self, title: str, logger: logging.Logger, console: Console) -> None:
        super().__init__(title, console)
        self._handlers: list[logging.StreamHandler] = [
            handler for handler in logger.handlers if type(handler) is logging.StreamHandler
        ]
        self._streams: list = []
        self._last = time.monotonic()

    def __enter__(self) -> 'ShardProgress':
        super().__enter__()
        terminal = self.console.is_terminal
        if terminal:
            # A launcher may kill this process: no cursor must stay hidden.
            self.console.show_cursor(True)
        for handler in self._handlers:
            handler.addFilter(_is_no_iteration)
            self._streams.append(handler.stream)
            if terminal and handler.stream is self.console.file:
                handler.setStream(sys.stdout)  # Rich's, while it draws
        return self

    def __exit__(self, *error) -> None:
        for handler, stream in zip(self._handlers, self._streams):
            handler.removeFilter(_is_no_iteration)
            handler.setStream(stream)
        super().__exit__(*error)

    def _is_due(self, done: int, total: int | None) -> bool:
        if total is None:  # a rank has not begun
            return False
        late = time.monotonic() - self._last >= 60
        if super()._is_due(done, total) or late:
            self._last = time.monotonic()
            return True
        return False

    def _line(self, done: int, total: int | None) -> str:
        task = self._bar.tasks[0]
        line = super()._line(done, total) + ' frames'
        if task.speed and done < total:
            seconds = int((total - done) / task.speed)
            line += f', {task.speed:.1f} fps, {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left'
        return line


def _is_no_iteration(record: logging.LogRecord) -> bool:
    return not _ITERATION.match(record.getMessage())
