# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.fileio.sparse_annotation import AnnotatedFrame, sparse_annotation

FOLLOWED = 'b' * 400 + '.' * 5


def frames_of(rows):
    """b: a box, '.': none, ' ': flagged as not annotated, t: said to be annotated."""
    flags = {' ': False, 't': True}
    return [
        AnnotatedFrame(video, t, mark == 'b', flags.get(mark))
        for video, row in enumerate(rows)
        for t, mark in enumerate(row)
    ]


@pytest.mark.parametrize(
    'rows, empty',
    [
        # Frames that somebody picked.
        (['b....' * 8] * 20 + [FOLLOWED], 20 * 32),  # a well annotated video hides nothing
        (['b....' * 8] + [FOLLOWED] * 20, 32),  # nor do many
        (['b.' * 12], 12),
        (['b..b.b....b...'], 10),  # at no fixed step
        (['...bb...b....bbb.....b..'], 17),
        # Bursts at a fixed step.
        (['bbbb......' * 4], 24),
        (['bbbb......' * 4] * 3 + [FOLLOWED], 72),
        (['bbbb' + '.' * 26] * 5, 0),  # each leaves early
        (['bbbb' + '.' * 26 + FOLLOWED], 0),
        ([('bbbb' + '.' * 26) * 5], 130),
        (['..' + 'bbbbb.....' * 3 + '.' * 10 + 'bbbbb'], 27),  # no object in the fourth
        # One or two frames of each video.
        (['b' + '.' * 23], 23),
        (['b' + '.' * 23] * 3 + [FOLLOWED] * 2, 69),
        (['b' + '.' * 23] * 2 + [FOLLOWED] * 2, 0),
        (['....b....b...'], 11),
        (['b' + '.' * 8 + 'b'] * 2 + ['.' * 90], 16),
        # Objects that somebody followed.
        ([FOLLOWED], 0),
        ([], 0),
        (['.' * 24, 'b' * 24], 0),
        (['bb' + '.' * 22], 0),
        (['.' * 23 + 'b'], 0),
        (['bbbb....bbbb'], 0),  # goes and comes back
        (['b' * 50 + '.' * 210 + 'b' * 40 + '.' * 170 + 'b' * 61 + '.' * 333 + 'b' * 44], 0),  # cars that pass
        (['bbbb.' * 5], 0),
        (['bb.' * 8], 0),  # is missed now and then
        # What is said is not suspicious.
        (['b ' * 12], 0),
        (['bt' * 12 + '.' * 9], 0),
        (['bbbb      ' * 4], 0),
    ],
)
def test_patterns(rows, empty):
    warning = sparse_annotation(frames_of(rows))
    total = sum(map(len, rows))
    assert (warning or '').startswith(f'{empty} of {total} frames have no box while' if empty else '')
    assert bool(warning) == bool(empty)


@pytest.mark.parametrize('entered', range(0, 30, 3))
def test_an_object_that_comes_and_stays_or_goes(entered):
    for left in range(entered + 2, 30):
        row = '.' * entered + 'b' * (left - entered) + '.' * (30 - left)
        assert sparse_annotation(frames_of([row])) is None


@pytest.mark.parametrize('run', range(1, 7))
@pytest.mark.parametrize('gap', range(1, 9))
def test_runs_and_gaps(run, gap):
    """At a fixed step there is a warning if and only if gaps are as long as runs; order of frames is none."""
    frames = frames_of([('b' * run + '.' * gap) * 3])
    assert (sparse_annotation(frames[::-1]) is not None) == (gap >= run)


def test_still_images_are_not_judged():
    assert sparse_annotation([AnnotatedFrame(None, None, i % 5 == 0, None) for i in range(50)]) is None
