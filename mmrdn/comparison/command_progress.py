# Copyright (c) mmrdn contributors. All rights reserved.
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mmrdn.utils.frame_progress import FrameProgress


def run_with_progress(
    command: Sequence[str], title: str, log_file: Path, console: Console, env: dict[str, str] | None = None
) -> None:
    """Run ``tools/train.py`` or ``tools/test.py`` and show how far it is in one line.

    Its output goes to a file. A terminal shows a progress bar, anything else one line for each
    tenth; the command reports through a pipe, see :class:`mmrdn.engine.ReportProgressHook`.

    Args:
        command (Sequence[str]): Command that ends with ``--cfg-options`` and its words.
        title (str): Text before the bar.
        log_file (Path): File that gets the output.
        console (Console): Console of the bar.
        env (dict[str, str], optional): Environment of the command.

    Raises:
        ValueError: The command failed; says how, and where its output is.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    hook = 'default_hooks.report.'
    command = [*command, f'{hook}type=mmrdn.ReportProgressHook', f'{hook}out_file=/dev/fd/{writer}']
    with (
        open(log_file, 'w') as log,
        open(reader) as reports,
        FrameProgress(title, console) as progress,
        subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT, pass_fds=[writer]) as process,
    ):
        os.close(writer)
        try:
            for report in reports:
                stage, done, total, loss = json.loads(report)
                progress.title = f'{title}: validation' if stage == 'val' else title
                progress.update(done, total, '' if loss is None else f'loss {loss:.2f}')
        except BaseException:  # Ctrl-C: the command must not outlive us
            process.terminate()
            raise
    if process.returncode:
        lines = log_file.read_text(errors='replace').split('\n')
        last = next((line.strip() for line in reversed(lines) if line.strip()), 'no output')
        raise ValueError(f'{title} ended with status {process.returncode}: {last} (see {log_file})')
