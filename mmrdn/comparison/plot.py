# Copyright (c) mmrdn contributors. All rights reserved.
"""Plot accuracy over time per frame."""

import itertools
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

# Okabe and Ito's colors, distinct for any kind of color vision, without yellow, too light on white.
# Markers differ too.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vPX*<>'


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
