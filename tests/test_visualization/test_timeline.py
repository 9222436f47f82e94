# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest

from mmrdn.visualization import class_color
from mmrdn.visualization.timeline import LEFT, RIGHT, class_runs, draw_timeline

CLASSES = ('zero', 'one', 'two')


def frames_of(*labels, step=0.5):
    """Frames with these labels each, a step apart."""
    return [dict(time=step * i, detections=[dict(label=label) for label in found]) for i, found in enumerate(labels)]


@pytest.mark.parametrize(
    'labels, expected',
    [
        ([], {}),
        ([[], []], {}),
        ([[1], [1], [], [1]], {1: [(0, 1), (1.5, 2)]}),
        ([[2, 1, 2], [2], []], {1: [(0, 0.5)], 2: [(0, 1)]}),
        ([[], [0]], {0: [(0.5, 1)]}),
    ],
)
def test_runs_by_hand(labels, expected):
    runs = class_runs(frames_of(*labels), 0.5 * len(labels))
    assert runs == expected and list(runs) == sorted(runs)


def test_runs_of_frames_at_a_variable_rate():
    frames = frames_of([1], [], [1])
    for frame, time in zip(frames, (0, 0.1, 3)):
        frame['time'] = time
    assert class_runs(frames, 3.2) == {1: [(0, 0.1), (3, 3.2)]}


def test_rows_have_the_colors_of_the_boxes():
    figure = draw_timeline(frames_of([1], [1, 2], []), CLASSES, 1.5)
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ['one', 'two']
    bars = axes.collections
    for bar, label, (start, end) in zip(bars, (1, 2), ((0, 1), (0.5, 1))):
        blue, green, red = class_color(label)
        rgb = bar.get_facecolor()[0][:3] * 255
        assert np.allclose(rgb, (red, green, blue))
        (path,) = bar.get_paths()
        (x1, y1), (x2, y2) = path.vertices.min(0), path.vertices.max(0)
        assert (x1, x2) == (start, end)
        assert y1 < axes.get_yticks()[label - 1] < y2
    assert len(bars) == 2 and axes.get_xlim() == (0, 1.5)
    box = axes.get_position()
    assert np.allclose((box.x0, box.x1), (LEFT, RIGHT))


def test_timeline_of_nothing_says_so():
    (axes,) = draw_timeline(frames_of([], []), CLASSES, 1.0).axes
    assert [t.get_text() for t in axes.texts] == ['nothing found']
    assert not axes.collections
