# Copyright (c) mmrdn contributors. All rights reserved.
"""Records of trainings: scores, losses and costs by iteration."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmrdn.fileio.fields import INTEGER, NUMBER, check_entry
from mmrdn.fileio.json_files import parse_json
from mmrdn.fileio.named_file import read_named
from mmrdn.utils.text import escaped
from mmrdn.visualization.plot_colors import COLORS

_WHERE = '*/vis_data/scalars.json'  # below a work directory, one for each start
_NO_CURVES = frozenset(['step', 'iter', 'epoch'])

Curve = tuple[list[int], list[float]]


@dataclass(frozen=True)
class TrainingLog:
    """Records of a training.

    Attributes:
        name (str): Its work directory, or its file.
        curves (dict[str, Curve]): Iterations and values by name, such as ``loss`` and ``vid/mAP50``.
    """

    name: str
    curves: dict[str, Curve]

    def summary(self) -> list[str]:
        """Return lines about length, cost and scores.

        Times are means without the first record, in which a training warms up.
        """
        length = max((steps[-1] for steps, _ in self.curves.values()), default=0)
        cost = [f'{self.name}: {length} iterations']
        for key, text in (('time', '{:.3f} s an iteration'), ('data_time', '{:.3f} s of it waiting for data')):
            if key in self.curves:
                values = self.curves[key][1]
                cost.append(text.format(np.mean(values[1:] or values)))
        if 'memory' in self.curves:
            cost.append(f'{max(self.curves["memory"][1]):.0f} MiB')
        lines = [', '.join(cost)]
        for key, (steps, values) in self.curves.items():
            if key.startswith('loss'):
                lines.append(f'  {key}: {values[0]:.4g} at {steps[0]}, {values[-1]:.4g} at {steps[-1]}')
            elif key.endswith('mAP50'):
                best = int(np.argmax(values))
                lines.append(f'  {key}: {values[-1]:.4f} at {steps[-1]}, best {values[best]:.4f} at {steps[best]}')
        return lines


def read_training_log(path: str | os.PathLike) -> TrainingLog:
    """Read the log of a training.

    Records of an earlier start count up to the iteration of the resume.

    Args:
        path (str or Path): Work directory, or a ``scalars.json``.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: It is broken; the message names the file and line.
    """
    files = [Path(path)]
    if files[0].is_dir():
        files = sorted(files[0].glob(_WHERE)) or sorted(files[0].glob('scalars.json'))
        if not files:
            raise FileNotFoundError(f'{path}: no {_WHERE} there, expected the work directory of a training')
    curves: dict[str, Curve] = {}
    for file in files:
        records = _read_records(file)
        if records:
            first = records[0][0]
            before = {key: [(s, v) for s, v in zip(*curve) if s < first] for key, curve in curves.items()}
            curves = {key: ([s for s, _ in pairs], [v for _, v in pairs]) for key, pairs in before.items() if pairs}
        for step, values in records:
            for key, value in values.items():
                steps, column = curves.setdefault(key, ([], []))
                steps.append(step)
                column.append(value)
    if not curves:
        raise ValueError(f'{files[-1]} is empty: the training has logged nothing')
    return TrainingLog(str(path), curves)


def _read_records(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Return iteration and numbers of each line; a validation by epochs is at the last iteration before it."""
    records: list[tuple[int, dict[str, float]]] = []
    content, by_epoch = read_named(path), False
    lines = content.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = parse_json(line, f'{path}, line {number}')
            check_entry(record, dict(step=INTEGER, iter=INTEGER), ['step'], f'{path}, line {number}')
        except ValueError as error:
            if number == len(lines) > 1 and not content.endswith(b'\n'):
                warnings.warn(f'{error}; left out, as the last line of a training that was killed')
                break
            raise
        by_epoch |= 'epoch' in record
        step = records[-1][0] if by_epoch and records and 'iter' not in record else record['step']
        numbers = {escaped(k): float(v) for k, v in record.items() if NUMBER.holds(v) and k not in _NO_CURVES}
        if 'iter' not in record:  # of a validation, whose frames are no iterations
            numbers = {key: value for key, value in numbers.items() if key not in ('time', 'data_time', 'memory')}
        records.append((step, numbers))
    return records


def plot_training_logs(logs: Sequence[TrainingLog], keys: Sequence[str] | None = None) -> Figure:
    """Plot curves, a panel for each name and a color for each training.

    Args:
        logs (Sequence[TrainingLog]): The trainings.
        keys (Sequence[str], optional): Names of the curves; losses, ``lr`` and mAP50 if not given.

    Raises:
        ValueError: No training has logged one of the names.
    """
    known = list(dict.fromkeys(key for log in logs for key in log.curves))
    usual = [key for key in known if key.startswith('loss') or key == 'lr' or key.endswith('mAP50')]
    for key in keys or ():
        if key not in known:
            raise ValueError(f'{logs[0].name}: nothing named {key} was logged, expected of {", ".join(known)}')
    shown = list(dict.fromkeys(keys or usual or known))
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), dpi=150, layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for key, axes in zip(shown, panels):
        for log, color in zip(logs, cycle(COLORS)):
            if key in log.curves:
                marker = 'o' if len(log.curves[key][0]) < 30 else None
                axes.plot(*log.curves[key], color=color, label=log.name, linewidth=1, marker=marker, markersize=3)
        axes.set_title(key, parse_math=False)  # a $ is a $
        axes.set_xlabel('iteration')
        axes.grid(color='0.9')
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels:
        axes.remove()
    if len(logs) > 1:
        handles = {line.get_label(): line for axes in figure.axes for line in axes.lines}
        legend = figure.legend(handles.values(), handles, loc='outside upper center', frameon=False)
        for text in legend.texts:
            text.set_parse_math(False)
    return figure
