# Copyright (c) mmrdn contributors. All rights reserved.
"""Plot accuracy over time per frame, with a name at every point."""

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

# Okabe and Ito's colors, distinct for any kind of color vision, without yellow, too light on white.
# Markers differ too.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vPX*<>'
# Directions from a point to its name, right and up; the first free one is taken.
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))


def plot_comparison(rows: Sequence[dict[str, Any]], labels: Sequence[str], title: str) -> Figure:
    """Plot mAP50 over milliseconds a frame.

    Args:
        rows (Sequence[dict]): Results with ``mAP50``, ``ms_per_frame`` and ``machine``; those that
            lack one of the first two are left out.
        labels (Sequence[str]): Names of the rows.
        title (str): Title of the plot.

    Returns:
        Figure: Plot with one point for each row.
    """
    figure = Figure(figsize=(7, 4.5), dpi=150, layout='constrained')
    axes = figure.subplots()
    named = [
        (row, label) for row, label in zip(rows, labels) if row.get('mAP50') is not None and row.get('ms_per_frame')
    ]
    points = [(row['ms_per_frame'], row['mAP50']) for row, _ in named]
    for i, point in enumerate(points):
        axes.plot(*point, MARKERS[i % len(MARKERS)], color=COLORS[i % len(COLORS)], markersize=8)
    axes.set_title(title)
    axes.set_ylabel('mAP50 (%)')
    axes.set_xlabel('time a frame (ms)' + (_device(named[0][0]['machine']) if named else ''))
    axes.grid(color='0.9')
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    axes.margins(0.2)
    place_labels(axes, points, [label for _, label in named])
    return figure


def _device(machine: dict[str, Any]) -> str:
    if 'gpu' in machine:
        return f', {machine["gpu"]}'
    plural = 's' * (machine['threads'] != 1)
    return f', {machine["cpu"]}, {machine["threads"]} thread{plural}'


def place_labels(axes: Axes, points: Sequence[tuple[float, float]], labels: Sequence[str]) -> None:
    """Write a name beside each point so that nothing covers anything.

    A name goes right of its point, or left, above, below, or farther away and then with a line to
    the point: the first position where it overlaps no point and no other name within the axes.

    Args:
        axes (Axes): Axes with the points drawn and limits set.
        points (Sequence[tuple[float, float]]): Points in data coordinates.
        labels (Sequence[str]): Names of the points.
    """
    figure = axes.figure
    figure.draw_without_rendering()  # computes the layout
    axes.autoscale(False)
    inside = axes.get_window_extent()
    near = 7 * figure.dpi / 72  # pixels from the middle of a point
    pixels = axes.transData.transform(points) if len(points) else []
    taken = [Bbox.from_bounds(x - near, y - near, 2 * near, 2 * near) for x, y in pixels]
    for point, (x, y), label in zip(points, pixels, labels):
        text = axes.annotate(label, point, (0, 0), textcoords='offset pixels', va='bottom', fontsize=9)
        text.set_in_layout(False)
        size = text.get_window_extent()
        for far, box in _positions(x, y, size.width, size.height, near):
            if (
                inside.contains(*box.min)
                and inside.contains(*box.max)
                and not any(box.overlaps(other) for other in taken)
            ):
                break
        text.set_position((box.x0 - x, box.y0 - y))
        taken.append(box)
        if far:
            end = (min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1))
            axes.plot(*zip(point, axes.transData.inverted().transform(end)), color='0.5', linewidth=0.8, zorder=1)


def _positions(x: float, y: float, width: float, height: float, near: float) -> Iterator[tuple[bool, Bbox]]:
    """Yield boxes around a point, the nearest first, and whether they need a line to it."""
    for ring in range(1, 15):
        for right, up in _DIRECTIONS:
            distance = near * ring * 1.05
            left = x + right * (distance + width / 2) - width / 2
            bottom = y + up * (distance + height / 2) - height / 2
            yield ring > 1, Bbox.from_bounds(left, bottom, width, height)
