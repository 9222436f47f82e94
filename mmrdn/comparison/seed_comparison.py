# Copyright (c) mmrdn contributors. All rights reserved.
"""Compare detectors, each trained with several seeds, and options of testing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from mmrdn.apis.config_files import find_model
from mmrdn.comparison.detector_comparison import check_same_data
from mmrdn.comparison.detector_run import METRICS, DetectorRun, read_result, visible_devices
from mmrdn.comparison.fold_report import NOT_MEASURED, markdown_table, mean_and_spread
from mmrdn.comparison.shared_runs import do_runs
from mmrdn.fileio.json_files import write_json
from mmrdn.fileio.whole_file import whole_file
from mmrdn.utils.machine import machine

_COLUMNS = (*METRICS, 'ms_per_frame')


@dataclass(frozen=True)
class Row:
    """A detector to train, with each seed.

    Args:
        config (str): Path of its config, or name as in :func:`find_model`.
        options (Sequence[str]): Words of ``--cfg-options`` for training and tests.
        tests (Mapping[str, Sequence[str]]): Words of more tests of the same weights, by name.
    """

    config: str
    options: Sequence[str] = ()
    tests: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Line(NamedTuple):
    """A line of a table: a row, tested as it is or by one of its ``tests``."""

    label: str
    row: str
    test: str = ''


class Table(NamedTuple):
    """A table: its title and its lines."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class SeedComparison:
    """Detectors trained with every seed on the same data, and tables of mean and spread.

    Any number of processes may work in the directory; each takes the next row and seed that no other
    has. Finished steps are not done again. The tables are rewritten after each run.

    Args:
        rows (Mapping[str, Row]): Rows by name.
        tables (Sequence[Table]): Tables to write.
        work_dir (Path): Directory of all runs.
        seeds (Sequence[int]): Seeds of the trainings.
        out (Path, optional): Path of the results without ``.json`` and ``.md``; ``tables`` in
            ``work_dir`` if not given.
        options (Sequence[str]): Words of ``--cfg-options`` for all rows.
        device (str, optional): ``cpu`` or ``cuda:N``. Default: a GPU if there is one.
        threads (int): Number of CPU threads in tests.
        make_data (callable, optional): Function that makes the data before the first run.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: An argument is wrong.
    """

    rows: Mapping[str, Row]
    tables: Sequence[Table]
    work_dir: Path
    seeds: Sequence[int] = (0, 1, 2)
    out: Path | None = None
    options: Sequence[str] = ()
    device: str | None = None
    threads: int = 1
    make_data: Callable[[Console], None] | None = None

    def __post_init__(self) -> None:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f'--seeds must differ, got {" ".join(map(str, self.seeds))}')
        if self.threads < 1:
            raise ValueError(f'--threads must be 1 or more, got {self.threads}')
        visible_devices(self.device)
        for row in self.rows.values():
            find_model(row.config)

    def run(self, only: Sequence[str] | None = None) -> list[str]:
        """Do the runs that are not done yet, seed by seed.

        Args:
            only (Sequence[str], optional): Names of the rows to run; all if not given.

        Returns:
            list[str]: Errors of runs that failed; the others went on.

        Raises:
            ValueError: There is no such row, or the rows are not tested on the same data.
        """
        for name in only or ():
            if name not in self.rows:
                raise ValueError(f"there is no row '{name}', expected of {', '.join(self.rows)}")
        names = [name for name in self.rows if not only or name in only]
        runs = {
            _run_name(name, seed): lambda console, name=name, seed=seed: self._do(name, seed, console)
            for seed in self.seeds
            for name in names
        }
        return do_runs(self.work_dir, runs, self._prepare, self._write_results)

    def _prepare(self) -> None:
        if self.make_data is not None:
            self.make_data(Console())
        check_same_data([self._training(name, self.seeds[0]) for name in self.rows])

    def _directory(self, name: str, seed: int, test: str = '') -> Path:
        """Return the directory of a training, or of one more test of its weights."""
        part = f'{_slug(name)}_tests/{_slug(test)}' if test else _slug(name)
        return self.work_dir / f'seed{seed}' / part

    def _training(self, name: str, seed: int) -> DetectorRun:
        return self._detector_run(name, seed, '', None)

    def _detector_run(self, name: str, seed: int, test: str, checkpoint: str | None) -> DetectorRun:
        row = self.rows[name]
        title = _run_name(name, seed) + (f', {test}' if test else '')
        options = [*self.options, *row.options, f'randomness.seed={seed}', *(row.tests[test] if test else ())]
        return DetectorRun(
            title,
            find_model(row.config).config,
            self._directory(name, seed, test),
            options,
            checkpoint=checkpoint,
            device=self.device,
            threads=self.threads,
        )

    def _do(self, name: str, seed: int, console: Console) -> None:
        """Train and test a row with a seed, then test it with its other options."""
        result = self._training(name, seed)(console)
        for test in self.rows[name].tests:
            self._detector_run(name, seed, test, result['checkpoint'])(console)

    def _measured(self, line: Line) -> list[dict[str, Any]]:
        """Return what the runs of a line have measured so far, each with its seed."""
        found = {seed: read_result(self._directory(line.row, seed, line.test)) for seed in self.seeds}
        return [dict(seed=seed, **result) for seed, result in found.items() if result is not None]

    def _write_results(self) -> Path:
        """Write JSON and Markdown; return the path of the latter."""
        runs = [[self._measured(line) for line in table.lines] for table in self.tables]
        content = [
            dict(title=table.title, lines=[dict(line._asdict(), runs=found) for line, found in zip(table.lines, lines)])
            for table, lines in zip(self.tables, runs)
        ]
        prefix = self.out or self.work_dir / 'tables'
        write_json(dict(seeds=list(self.seeds), machine=machine(), tables=content), Path(f'{prefix}.json'))
        text = '\n'.join(self._markdown(table, lines) for table, lines in zip(self.tables, runs))
        path = Path(f'{prefix}.md')
        with whole_file(path) as file:
            file.write(text.encode())
        return path

    def _markdown(self, table: Table, runs: Sequence[Sequence[dict[str, Any]]]) -> str:
        """Return a table of mean and spread over the seeds."""
        lines = []
        for line, found in zip(table.lines, runs):
            columns = [[run[key] for run in found if run.get(key) is not None] for key in _COLUMNS]
            cells = [mean_and_spread(values) for values in columns] if found else [NOT_MEASURED, *[''] * len(METRICS)]
            lines.append([line.label, *cells, f'{len(found)} of {len(self.seeds)}'])
        return markdown_table(table.title, ['', *METRICS, 'ms a frame', 'seeds'], lines)


def _run_name(name: str, seed: int) -> str:
    return f'{name}, seed {seed}'


def _slug(name: str) -> str:
    """Return a name as one of a directory."""
    return re.sub(r'[^\w.=-]+', '-', name)
