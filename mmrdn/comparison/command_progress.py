# Copyright (c) mmrdn contributors. All rights reserved.
"""Run a command of ours and show how far it is in one line."""

import re
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# "Iter(train) [  50/1000]  ...  loss: 0.9136  ..." of MMEngine's log, "Epoch(train)  [2][
# 50/1000]", and "testing 40/200 frames" of ShardProgress
_ITERATION = re.compile(
    r'(?:Iter|Epoch)\((train|val|test)\)\s+(?:\[\d+\])?\[\s*(\d+)/(\d+)\]'
    r'(?:.*?\bloss: ([\d.]+))?|^(\w+) (\d+)/(\d+) frames'
)


def run_with_progress(
    command: Sequence[str], title: str, log_file: Path, console: Console, env: dict[str, str] | None = None
) -> None:
    """Run a command that logs as MMEngine does.

    Its whole output goes to a file. A terminal shows a progress bar, anything else one line for
    each tenth.

    Args:
        command (Sequence[str]): The command.
        title (str): Stands before the bar.
        log_file (Path): Gets the output.
        console (Console): Where the bar goes.
        env (dict[str, str], optional): Environment of the command.

    Raises:
        ValueError: The command failed; says how, and where its output is.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    last_lines = deque(maxlen=1)
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[loss]}'),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with (
        open(log_file, 'w') as log,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        task = progress.add_task(title, total=None, loss='')
        told, last_label = 0, title
        try:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if line.strip():
                    last_lines.append(line.strip())
                found = _position(line)
                if not found:
                    continue
                validates, done, total, loss = found
                label = f'{title}: validation' if validates else title
                if label != last_label:
                    told, last_label = 0, label
                progress.update(task, description=label, completed=done, total=total, loss=loss)
                if not console.is_terminal and 10 * done // total > told:
                    told = 10 * done // total
                    console.print(f'{label} {done}/{total} {loss}'.rstrip())
        except BaseException:  # Ctrl-C: the command must not outlive us
            process.terminate()
            raise
    if process.returncode:
        last = last_lines[-1] if last_lines else 'no output'
        raise ValueError(f'{title} ended with status {process.returncode}: {last} (see {log_file})')


def _position(line: str) -> tuple[bool, int, int, str] | None:
    """Whether it is a validation, how much is done, of how much, and the loss,
    if a line says so.
    """
    found = _ITERATION.search(line)
    if not found:
        return None
    kind, done, total, loss, *frames = found.groups()
    if done is None:
        kind, done, total = frames
    loss = f'loss {float(loss):.2f}' if loss else ''
    return kind.startswith('val'), int(done), int(total), loss
