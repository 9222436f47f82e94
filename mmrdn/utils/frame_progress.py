# Copyright (c) mmrdn contributors. All rights reserved.
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class FrameProgress:
    """Progress over frames: a bar on a terminal, a line each tenth elsewhere.

    If the number of frames is unknown, a line is printed every 100 frames.

    Args:
        title (str): Text before the bar, which may be changed.
        console (Console): Console of the bar or the lines.
        quiet (bool): Show nothing.
        rate (bool): Whether lines give the speed and the remaining time. These, and lines with a note,
            are printed at least once a minute.
        bars (Progress, optional): Bars to add this one to, of :func:`make_bars` and shown by the caller:
            a terminal shows those of one Progress at a time.
    """

    def __init__(
        self, title: str, console: Console, quiet: bool = False, rate: bool = False, bars: Progress | None = None
    ) -> None:
        self.title = title
        self.console = console
        self.quiet = quiet
        self.rate = rate
        self._line = (title, 0, time.monotonic())  # title and tenths of the last one, and when it came
        self._bar = bars or make_bars(console, quiet)
        self._shared = bars is not None
        self._task = self._bar.add_task(title, total=None, note='')

    def __enter__(self) -> 'FrameProgress':
        if not self._shared:
            self._bar.start()
        return self

    def __exit__(self, *error) -> None:
        if not self._shared:
            self._bar.stop()

    def update(self, done: int, total: int | None, note: str = '') -> None:
        """Show how many frames are done.

        If nothing reads the output any more (a closed pipe), nothing more is shown; the run continues.

        Args:
            done (int): Number of frames.
            total (int, optional): Number of all frames, if known.
            note (str): Text to show instead of the frames a second.
        """
        if self.quiet:
            return
        try:
            speed = self._bar.tasks[self._task].speed
            shown = note or (f'{speed:.1f} fps' if speed else '- fps')
            self._bar.update(self._task, description=self.title, completed=done, total=total, note=shown)
            if not self.console.is_terminal and self._is_due(done, total, bool(note)):
                self.console.print(self._text(done, total, note), highlight=False, soft_wrap=True)
        except (OSError, SystemExit):  # rich exits when a pipe is broken
            self.quiet = True

    def _is_due(self, done: int, total: int | None, has_note: bool) -> bool:
        """Return whether it is time for another line."""
        title, told, when = self._line
        if title != self.title:
            told = 0
        step = 10 * done // total if total else done // 100
        now = time.monotonic()
        if step <= told and not ((self.rate or has_note) and now - when >= 60):
            return False
        self._line = self.title, max(step, told), now
        return True

    def _text(self, done: int, total: int | None, note: str) -> str:
        text = f'{self.title} {done}' + (f'/{total}' if total else '')
        if self.rate:
            text += ' frames'
            speed = self._bar.tasks[self._task].speed
            if speed and total and done < total:
                left = int((total - done) / speed)
                text += f', {speed:.1f} fps, {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left'
        return f'{text} {note}'.rstrip()


def make_bars(console: Console, quiet: bool = False) -> Progress:
    """Return bars without a task, shown on a terminal only.

    Args:
        console (Console): Console of the bars.
        quiet (bool): Show nothing.
    """
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[note]}'),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )
