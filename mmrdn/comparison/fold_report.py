# Copyright (c) mmrdn contributors. All rights reserved.
"""Tables of a cross-validation."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmrdn.comparison.detector_run import METRICS

_COLUMNS = (*METRICS, 'found', 'flicker')
NOT_MEASURED = 'not measured yet'


@dataclass(frozen=True)
class FoldReport:
    """Measurements of runs, by row, fold and seed.

    Args:
        rows (Sequence[str]): Names of the rows.
        folds (Sequence[int]): Folds.
        seeds (Sequence[int]): Seeds.
        runs (Sequence[dict]): Runs that are done: ``row``, ``fold``, ``seed`` and measurements in
            percent, None where there is no ground truth.
        baselines (Sequence[str]): Names of rows that the others are compared with.
    """

    rows: Sequence[str]
    folds: Sequence[int]
    seeds: Sequence[int]
    runs: Sequence[dict[str, Any]]
    baselines: Sequence[str]

    def markdown(self) -> str:
        """Return the tables: means over all runs, by fold, by seed, and gains over the baselines."""
        num_runs = len(self.folds) * len(self.seeds)
        tables = {
            f'Mean and standard deviation over the runs ({len(self.folds)} folds x {len(self.seeds)} seeds), %': (
                [*_COLUMNS, 'runs'],
                lambda row: [
                    *(mean_and_spread(self._values(row, column)) for column in _COLUMNS),
                    f'{len(self._values(row, "mAP50", keep_none=True))} of {num_runs}',
                ],
            ),
            'mAP50 by fold, mean and standard deviation over seeds': (
                [f'fold {fold}' for fold in self.folds],
                lambda row: [mean_and_spread(self._values(row, 'mAP50', fold=fold)) for fold in self.folds],
            ),
            'mAP50 by seed, mean and standard deviation over folds': (
                [f'seed {seed}' for seed in self.seeds],
                lambda row: [mean_and_spread(self._values(row, 'mAP50', seed=seed)) for seed in self.seeds],
            ),
            'Gain in mAP50 over a baseline with the same fold and seed, mean and standard deviation over the runs': (
                [f'over {name}' for name in self.baselines],
                lambda row: [mean_and_spread(self._gains(row, name), sign='+') for name in self.baselines],
            ),
        }
        return '\n'.join(self._table(title, *table) for title, table in tables.items())

    def _values(self, row: str, column: str, keep_none: bool = False, **where: int) -> list[float]:
        """Return the measurements of a row, of a fold or a seed alone if these are given."""
        runs = (run for run in self.runs if run['row'] == row and all(run[key] == where[key] for key in where))
        return [run.get(column) for run in runs if keep_none or run.get(column) is not None]

    def _gains(self, row: str, baseline: str) -> list[float]:
        """Return the differences of the runs that both have."""
        ours, theirs = (
            {(run['fold'], run['seed']): run['mAP50'] for run in self.runs if run['row'] == name}
            for name in (row, baseline)
        )
        pairs = [(ours[key], theirs[key]) for key in ours if key in theirs] if row != baseline else []
        return [one - other for one, other in pairs if None not in (one, other)]

    def _table(self, title: str, columns: Iterable[str], cells: Callable[[str], list[str]]) -> str:
        lines = [['detector', *columns]]
        for row in self.rows:
            done = any(run['row'] == row for run in self.runs)
            found = cells(row)
            lines.append([row, *(found if done else [NOT_MEASURED, *[''] * (len(found) - 1)])])
        return markdown_table(title, lines[0], lines[1:])


def markdown_table(title: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown below its title."""
    rows = [header, ['---'] * len(header), *lines]
    return '\n'.join([f'{title}:', '', *(f'| {" | ".join(row)} |' for row in rows), ''])


def mean_and_spread(values: Sequence[float], sign: str = '') -> str:
    """Return the mean and, of two values or more, the sample standard deviation; - of none."""
    if not values:
        return '-'
    spread = f' ± {np.std(values, ddof=1):.1f}' if len(values) > 1 else ''
    return f'{np.mean(values):{sign}.1f}{spread}'
