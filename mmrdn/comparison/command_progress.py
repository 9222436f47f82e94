# Copyright (c) mmrdn contributors. All rights reserved.
import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from mmrdn.utils.frame_progress import FrameProgress, make_bars


@dataclass(frozen=True)
class Command:
    """One run of ``tools/train.py`` or ``tools/test.py``.

    Args:
        words (Sequence[str]): Words of the command, of which the last are ``--cfg-options`` and its words.
        title (str): Text before its bar.
        log_file (Path): File that gets its output.
        env (dict[str, str], optional): Its environment.
    """

    words: Sequence[str]
    title: str
    log_file: Path
    env: dict[str, str] | None = None


def run_with_progress(commands: Sequence[Command], console: Console) -> list[float]:
    """Run commands side by side and show how far each is, one line each.

    A terminal shows progress bars, anything else one line for each tenth; the commands report
    through pipes, see :class:`mmrdn.engine.ReportProgressHook`. If one fails, or on Ctrl-C, the
    others are terminated.

    Args:
        commands (Sequence[Command]): The commands.
        console (Console): Console of the bars.

    Returns:
        list[float]: How long each took, in minutes.

    Raises:
        ValueError: A command failed; says how, and where its output is.
    """
    start, minutes = time.monotonic(), [0.0] * len(commands)
    with make_bars(console) as bars, ExitStack() as stack, selectors.DefaultSelector() as selector:
        running = []
        try:
            for i, command in enumerate(commands):
                running.append(stack.enter_context(_RunningCommand(command, console, bars)))
                selector.register(running[i].reports, selectors.EVENT_READ, i)
            while selector.get_map():
                for key, _ in selector.select():
                    if not running[key.data].read():
                        selector.unregister(key.fileobj)
                        running[key.data].check_status()
                        minutes[key.data] = (time.monotonic() - start) / 60
        except BaseException:  # the commands must not outlive us
            for other in running:
                other.process.terminate()
            raise
    return minutes


class _RunningCommand:
    """A command that has been started, and its bar.

    Args:
        command (Command): Command to start.
        console (Console): Console of the bar.
        bars (Progress): Bars to add its bar to.
    """

    def __init__(self, command: Command, console: Console, bars: Progress) -> None:
        self._command = command
        self._progress = FrameProgress(command.title, console, bars=bars)
        self._rest = b''  # a line that has not been read to its end
        command.log_file.parent.mkdir(parents=True, exist_ok=True)
        self.reports, writer = os.pipe()
        hook = 'default_hooks.report.'
        words = [*command.words, f'{hook}type=mmrdn.ReportProgressHook', f'{hook}out_file=/dev/fd/{writer}']
        with open(command.log_file, 'w') as log:
            self.process = subprocess.Popen(
                words, env=command.env, stdout=log, stderr=subprocess.STDOUT, pass_fds=[writer]
            )
        os.close(writer)

    def __enter__(self) -> '_RunningCommand':
        return self

    def __exit__(self, *error) -> None:
        os.close(self.reports)
        self.process.wait()

    def read(self) -> bool:
        """Show what the command has reported; return False if it will report no more."""
        found = os.read(self.reports, 1 << 16)
        *lines, self._rest = (self._rest + found).split(b'\n')
        for line in lines:
            stage, done, total, loss = json.loads(line)
            title = self._command.title
            self._progress.title = f'{title}: validation' if stage == 'val' else title
            self._progress.update(done, total, '' if loss is None else f'loss {loss:.2f}')
        return bool(found)

    def check_status(self) -> None:
        """Wait for the end of the command.

        Raises:
            ValueError: It failed.
        """
        status, log_file = self.process.wait(), self._command.log_file
        if status:
            lines = log_file.read_text(errors='replace').split('\n')
            last = next((line.strip() for line in reversed(lines) if line.strip()), 'no output')
            raise ValueError(f'{self._command.title} ended with status {status}: {last} (see {log_file})')
