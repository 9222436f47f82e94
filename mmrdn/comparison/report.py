# Copyright (c) mmrdn contributors. All rights reserved.
"""What a comparison of detectors looks like: table, JSON, CSV, plot."""

import csv
import io
import json
import os.path as osp
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mmrdn.comparison.detector_run import METRICS
from mmrdn.comparison.plot import plot_comparison
from mmrdn.fileio.json_files import write_json
from mmrdn.fileio.whole_file import whole_file

COLUMNS = ('name', 'config', 'checkpoint', *METRICS, 'ms_per_frame', 'parameters', 'train_minutes', 'error')


def short_names(names: Sequence[str]) -> list[str]:
    """Names of configs without the parts that all of them share, and without
    the schedule where the rest tells them apart.

    Args:
        names (Sequence[str]): Such as ``rdn_faster-rcnn_r18_1xb4_digits``; parts are between
            underscores.

    Returns:
        list[str]: What tells them apart, in the same order.
    """
    parts = [name.split('_') for name in names]
    shared = set(parts[0]).intersection(*parts[1:])
    parts = [[p for p in ps if p not in shared] for ps in parts]
    brief = [[p for p in ps if not re.match(r'\d+xb\d+-', p)] for ps in parts]
    for kept in (brief, parts):
        short = [' '.join(ps) for ps in kept]
        if all(short) and len(set(short)) == len(names):
            return short
    return list(names)


def check_out(prefix: Path, work_dir: str, names: Sequence[str]) -> None:
    """See that no results are lost when new ones are written.

    Args:
        prefix (Path): The files' name without suffix.
        work_dir (str): Folder of the comparison.
        names (Sequence[str]): The detectors that will be in it.

    Raises:
        ValueError: There are results of other detectors, or other files.
    """
    path = _with_suffix(prefix, '.json')
    if not path.exists():
        for suffix in ('.csv', '.png'):
            if _with_suffix(prefix, suffix).exists():
                raise ValueError(f'{_with_suffix(prefix, suffix)} exists; choose another --out')
        return
    try:
        content = json.loads(path.read_text())
        before = [row['name'] for row in content['rows']]
        folder = content['work_dir']
    except (ValueError, KeyError, TypeError):
        raise ValueError(f'{path} holds no comparison; choose another --out') from None
    lost = [name for name in before if name not in names]
    if folder != osp.abspath(work_dir):
        raise ValueError(f'{path} holds results of {folder}; choose another --out')
    if lost:
        raise ValueError(f'{path} holds results of {", ".join(lost)} too; choose another --out')


def write_results(
    prefix: Path, head: dict[str, Any], rows: Sequence[dict[str, Any]], labels: Sequence[str], title: str
) -> None:
    """Write JSON, CSV and the plot.

    Args:
        prefix (Path): The files' name without suffix.
        head (dict): What the JSON holds beside the rows.
        rows (Sequence[dict]): See :func:`compare_detectors`.
        labels (Sequence[str]): Of the points in the plot.
        title (str): Of the plot.
    """
    write_json(dict(head, rows=list(rows)), _with_suffix(prefix, '.json'))
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, COLUMNS, extrasaction='ignore')
    writer.writeheader()
    writer.writerows(rows)
    with whole_file(_with_suffix(prefix, '.csv')) as file:
        file.write(text.getvalue().encode())
    with whole_file(_with_suffix(prefix, '.png')) as file:
        plot_comparison(rows, labels, title).savefig(file, format='png')


def print_results(rows: Sequence[dict[str, Any]], labels: Sequence[str], title: str, console: Console) -> None:
    """Print the table.

    Args:
        rows (Sequence[dict]): See :func:`compare_detectors`.
        labels (Sequence[str]): What the detectors are called in the table.
        title (str): Its title.
        console (Console): Where it goes.
    """
    table = Table(title=title)
    for column in ('detector', *METRICS, 'ms a frame', 'params (M)', 'training (min)'):
        table.add_column(
            column,
            justify='left' if column == 'detector' else 'right',
            min_width=max(map(len, labels)) if column == 'detector' else None,
        )
    for row, label in zip(rows, labels):
        numbers = [row.get(key) for key in (*METRICS, 'ms_per_frame')]
        parameters = row.get('parameters')
        numbers.append(parameters and parameters / 1e6)
        numbers.append(row.get('train_minutes'))
        digits = [1] * (len(METRICS) + 1) + [2, 1]
        table.add_row(label, *('-' if n is None else f'{n:.{d}f}' for n, d in zip(numbers, digits)))
    console.print(table)


def _with_suffix(prefix: Path, suffix: str) -> Path:
    """``Path.with_suffix`` would take a point in the name for one."""
    return prefix.with_name(prefix.name + suffix)
