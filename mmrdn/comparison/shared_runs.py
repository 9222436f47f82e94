# Copyright (c) mmrdn contributors. All rights reserved.
"""Runs of a comparison that any number of processes share through a directory."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from mmrdn.comparison.detector_comparison import reported
from mmrdn.engine.distributed.file_locks import FileLocks

Run = Callable[[Console], Any]


def do_runs(
    work_dir: Path, runs: Mapping[str, Run], prepare: Callable[[], None], write_results: Callable[[], Path]
) -> list[str]:
    """Do the runs that no other process has, one after the other, and show the results.

    A run that fails is reported, and the others continue. Each run skips what it has done already.

    Args:
        work_dir (Path): Directory of the processes, which holds their locks.
        runs (Mapping[str, Run]): The runs by name, in order.
        prepare (callable): Function that is called first, by one process at a time; its errors are raised.
        write_results (callable): Function that writes what all runs have measured so far, called before
            the first run and after each, by one process at a time; returns the path of the tables.

    Returns:
        list[str]: Errors of runs that failed.
    """
    console = Console()
    work_dir.mkdir(parents=True, exist_ok=True)
    errors = []
    with contextlib.closing(FileLocks(work_dir / 'locks')) as locks:
        with locks.held('data'):
            prepare()
        with locks.held('results'):
            tables = write_results()
        for name, run in runs.items():
            if not locks.take(name):
                console.print(f'{name}: another process has it', soft_wrap=True)
                continue
            row: dict[str, Any] = dict(name=name)
            with reported(row, console):
                run(console)
            locks.free(name)
            errors += [f'{name}: {row["error"]}'] if 'error' in row else []
            with locks.held('results'):
                tables = write_results()
    console.print(tables.read_text(), soft_wrap=True, markup=False, highlight=False)
    return errors
