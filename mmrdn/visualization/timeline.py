# Copyright (c) mmrdn contributors. All rights reserved.
"""A plot of when each class was found in a video."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager

from mmrdn.visualization.canvas import GROUND, Color, class_color
from mmrdn.visualization.font import DEFAULT_FONT, Font, font_file

LEFT, RIGHT = 0.16, 0.98  # of the plot, as shares of the figure's width
_WIDTH = 10.0  # inches


class Run(NamedTuple):
    """A run of frames in which a class was found."""

    start: float  # seconds
    end: float  # seconds: when the first frame without it comes


def class_runs(frames: Sequence[dict], end: float) -> dict[int, list[Run]]:
    """Return when each class was found.

    Args:
        frames (Sequence[dict]): Frames in order, each with its ``time`` in seconds and its
            ``detections``, which have a ``label`` each.
        end (float): Seconds at which the last frame ends.

    Returns:
        dict[int, list[Run]]: Runs by label, only those that were found.
    """
    runs: dict[int, list[Run]] = {}
    ends = [frame['time'] for frame in frames[1:]] + [end]
    for frame, stop in zip(frames, ends):
        for label in sorted({found['label'] for found in frame['detections']}):
            of_class = runs.setdefault(label, [])
            start = frame['time']
            if of_class and of_class[-1].end == start:
                start = of_class.pop().start
            of_class.append(Run(start, stop))
    return dict(sorted(runs.items()))


def draw_timeline(frames: Sequence[dict], classes: Sequence[str], end: float) -> Figure:
    """Plot time along x and a row for each class that was found.

    Colors are those of the boxes.

    Args:
        frames (Sequence[dict]): Frames as for :func:`class_runs`.
        classes (Sequence[str]): Class names.
        end (float): Seconds at which the last frame ends.

    Returns:
        Figure: The plot, which spans 0 to ``end`` seconds between the shares ``LEFT`` and ``RIGHT``
        of the figure's width.
    """
    runs = class_runs(frames, end)
    rows = max(len(runs), 1)
    height = 0.35 * rows + 0.75
    figure = Figure(figsize=(_WIDTH, height))
    axes = figure.add_axes((LEFT, 0.55 / height, RIGHT - LEFT, 1 - 0.65 / height))
    for row, (label, of_class) in enumerate(runs.items()):
        spans = [(run.start, run.end - run.start) for run in of_class]
        # Edges, as ``color`` draws them, keep the shortest visible.
        axes.broken_barh(spans, (row - 0.35, 0.7), color=[_rgb(class_color(label))])
    if not runs:
        axes.text(end / 2, 0, 'nothing found', ha='center', va='center', color='white')
    axes.set_facecolor(_rgb(GROUND))
    names = [Font(14).shorten(classes[label], 150) for label in runs]
    axes.set_yticks(range(len(runs)), names, fontfamily=font_families(names))
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(0, end)
    axes.set_xlabel('seconds')
    axes.grid(axis='x', alpha=0.25)
    axes.set_axisbelow(True)
    axes.tick_params(left=False)
    for side in ('top', 'right', 'left'):
        axes.spines[side].set_visible(False)
    return figure


def font_families(texts: Iterable[str]) -> list[str]:
    """Return the families of the fonts that texts are drawn from, as matplotlib takes them."""
    files = dict.fromkeys([DEFAULT_FONT, *(font_file(char) for text in texts for char in text)])
    files.pop(None, None)
    for file in files.keys() - {entry.fname for entry in fontManager.ttflist}:  # newer than its list of fonts
        fontManager.addfont(file)
    return [FontProperties(fname=file).get_name() for file in files]


def _rgb(bgr: Color) -> tuple[float, ...]:
    return tuple(value / 255 for value in reversed(bgr))
