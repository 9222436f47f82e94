# Copyright (c) mmrdn contributors. All rights reserved.

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class FrameProgress:
    """How far a video is: a bar on a terminal, a line a tenth elsewhere.

    Where the number of frames is not known a line comes every 100 frames.

    Args:
        title (str): Stands before the bar.
        console (Console): Where it goes.
        quiet (bool): Show nothing.
    """

    def __init__(self, title: str, console: Console, quiet: bool = False) -> None:
        self.title = title
        self.console = console
        self.quiet = quiet
        self._told = 0
        self._bar = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            _FramesPerSecond(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> 'FrameProgress':
        self._bar.start()
        return self

    def __exit__(self, *error) -> None:
        self._bar.stop()

    def update(self, done: int, total: int | None) -> None:
        """Show how many frames are done, of how many if known.

        Where nobody reads what is shown (a pipe that was closed) it is no longer shown; that must
        not end the run.
        """
        try:
            self._show(done, total)
        except (OSError, SystemExit):  # rich exits when a pipe is broken
            self.quiet = True

    def _show(self, done: int, total: int | None) -> None:
        if self.quiet:
            return
        self._bar.update(self._task, completed=done, total=total)
        if not self.console.is_terminal and self._is_due(done, total):
            self.console.print(self._line(done, total), highlight=False, soft_wrap=True)

    def _is_due(self, done: int, total: int | None) -> bool:
        """Whether it is time for another line."""
        step = 10 * done // total if total else done // 100
        due = step > self._told
        self._told = max(step, self._told)
        return due

    def _line(self, done: int, total: int | None) -> str:
        return f'{self.title} {done}' + (f'/{total}' if total else '')


class _FramesPerSecond(ProgressColumn):
    """Frames a second of late."""

    def render(self, task: Task) -> Text:
        return Text(f'{task.speed:.1f} fps' if task.speed else '- fps')
