# Copyright (c) mmrdn contributors. All rights reserved.
"""Write the results of a comparison of detectors: table, JSON, CSV, plot."""

import csv
import io
import itertools
import os.path as osp
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from mmrdn.comparison.detector_run import METRICS
from mmrdn.fileio.fields import TEXT, check_entries, check_entry
from mmrdn.fileio.json_files import read_json, write_json
from mmrdn.fileio.whole_file import whole_file
from mmrdn.visualization.plot_colors import COLORS

COLUMNS = ('name', 'config', 'checkpoint', *METRICS, 'ms_per_frame', 'parameters', 'train_minutes', 'error')
# Of plots, whose colors differ too.
MARKERS = 'osD^vPX*<>'


def short_names(names: Sequence[str]) -> list[str]:
    """Shorten the names of configs to the parts that differ.

    The schedule is left out too where the other parts suffice.

    Args:
        names (Sequence[str]): Names such as ``rdn_faster-rcnn_r18_1xb4_digits``, with underscores
            between the parts.

    Returns:
        list[str]: Short names, in the same order.
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
    """Check that no results are lost when new ones are written.

    Args:
        prefix (Path): Path of the files without suffix.
        work_dir (str): Directory of the comparison.
        names (Sequence[str]): Names of the detectors in the new results.

    Raises:
        ValueError: There are results of other detectors, or other files.
    """
    path = Path(f'{prefix}.json')
    if not path.exists():
        for other in (Path(f'{prefix}.csv'), Path(f'{prefix}.png')):
            if other.exists():
                raise ValueError(f'{other} exists; choose another --out')
        return
    try:
        content = read_json(path)
        check_entry(content, dict(work_dir=TEXT), ('work_dir',), str(path))
        rows = check_entries(content, 'rows', dict(name=TEXT), ('name',), str(path))
    except ValueError as error:
        raise ValueError(f'{path} holds no comparison ({error}); choose another --out') from None
    directory, lost = content['work_dir'], [row['name'] for row in rows if row['name'] not in names]
    if directory != osp.abspath(work_dir):
        raise ValueError(f'{path} holds results of {directory}; choose another --out')
    if lost:
        raise ValueError(f'{path} holds results of {", ".join(lost)} too; choose another --out')


def write_results(
    prefix: Path, head: dict[str, Any], rows: Sequence[dict[str, Any]], labels: Sequence[str], title: str
) -> None:
    """Write JSON, CSV and the plot.

    Args:
        prefix (Path): Path of the files without suffix.
        head (dict): Other content of the JSON.
        rows (Sequence[dict]): Results of :func:`compare_detectors`.
        labels (Sequence[str]): Labels of the points in the plot.
        title (str): Title of the plot.
    """
    write_json(dict(head, rows=list(rows)), Path(f'{prefix}.json'))
    with whole_file(Path(f'{prefix}.csv')) as file, io.TextIOWrapper(file, 'utf-8', newline='') as text:
        writer = csv.DictWriter(text, COLUMNS, extrasaction='ignore')
        writer.writeheader()
        writer.writerows(rows)
    with whole_file(Path(f'{prefix}.png')) as file:
        plot_comparison(rows, labels, title).savefig(file, format='png')


def plot_comparison(rows: Sequence[dict[str, Any]], labels: Sequence[str], title: str) -> Figure:
    """Plot mAP50 over milliseconds a frame.

    Args:
        rows (Sequence[dict]): Results with ``mAP50``, ``ms_per_frame`` and ``machine``; those that
            lack one of the first two are left out.
        labels (Sequence[str]): Names of the rows.
        title (str): Title of the plot.

    Returns:
        Figure: Plot with one point for each row, their names beside it.
    """
    figure = Figure(figsize=(7, 4.5), dpi=150, layout='constrained')
    axes = figure.subplots()
    named = [
        (row, label) for row, label in zip(rows, labels) if row.get('mAP50') is not None and row.get('ms_per_frame')
    ]
    for (row, label), marker, color in zip(named, itertools.cycle(MARKERS), itertools.cycle(COLORS)):
        axes.plot(row['ms_per_frame'], row['mAP50'], marker, color=color, markersize=8, label=label)
    axes.set_title(title)
    axes.set_ylabel('mAP50 (%)')
    axes.set_xlabel('time a frame (ms)' + (_device(named[0][0]['machine']) if named else ''))
    axes.grid(color='0.9')
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    axes.margins(0.2)
    if named:
        figure.legend(loc='outside right upper', frameon=False)
    return figure


def _device(machine: dict[str, Any]) -> str:
    if 'gpu' in machine:
        return f', {machine["gpu"]}'
    plural = 's' * (machine['threads'] != 1)
    return f', {machine["cpu"]}, {machine["threads"]} thread{plural}'


def print_results(rows: Sequence[dict[str, Any]], labels: Sequence[str], title: str, console: Console) -> None:
    """Print the table.

    Args:
        rows (Sequence[dict]): Results of :func:`compare_detectors`.
        labels (Sequence[str]): Names of the detectors in the table.
        title (str): Title of the table.
        console (Console): Console to print to.
    """
    table = Table(title=title)
    table.add_column('detector', min_width=max(map(len, labels)))
    for column in (*METRICS, 'ms a frame', 'params (M)', 'training (min)'):
        table.add_column(column, justify='right')
    for row, label in zip(rows, labels):
        numbers = [(row.get(key), 1) for key in (*METRICS, 'ms_per_frame')]
        parameters = row.get('parameters')
        numbers += [(parameters and parameters / 1e6, 2), (row.get('train_minutes'), 1)]
        table.add_row(label, *('-' if n is None else f'{n:.{digits}f}' for n, digits in numbers))
    console.print(table)
