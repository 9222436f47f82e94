# Copyright (c) mmrdn contributors. All rights reserved.
"""Recognizing videos of which only some frames were annotated."""

import math
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import NamedTuple

_LONGEST_RUN = 3  # frames in a row with boxes, on average; objects that were followed stay longer


class AnnotatedFrame(NamedTuple):
    """Facts about the annotation of a frame.

    Attributes:
        video_id (Hashable): Its video, None for a still image.
        frame_id (int): Its index in the video.
        has_boxes (bool): Whether it has a box.
        is_annotated (bool, optional): Whether it was annotated; None where this is not said.
    """

    video_id: Hashable
    frame_id: int | None
    has_boxes: bool
    is_annotated: bool | None


def sparse_annotation(frames: Iterable[AnnotatedFrame]) -> str | None:
    """Return a warning about frames without boxes that nobody seems to have annotated.

    Each video is judged alone. It is suspicious if frames with boxes come at least three times, no
    longer on average than the frames without between them, and either in short runs (objects that
    somebody followed are there for longer) or in bursts at a fixed step. Videos with no more than
    one or two single frames with boxes are suspicious if most are of these kinds: now and then an
    object does come for a moment. Frames that have ``is_annotated`` are not suspicious.

    Args:
        frames (Iterable[AnnotatedFrame]): All frames of a data set.

    Returns:
        str or None: One line, to come after the name of the file; None if there is nothing to say.
    """
    videos = defaultdict(list)
    total = 0
    for frame in frames:
        total += 1
        if frame.video_id is not None and frame.frame_id is not None:
            mark = 'b' if frame.has_boxes else '.' if frame.is_annotated is None else ' '
            videos[frame.video_id].append((frame.frame_id, mark))
    rows = [''.join(mark for _, mark in sorted(marks)) for marks in videos.values()]
    rows = [row for row in rows if 'b' in row]
    sparse = [row for row in rows if _looks_sparse(row)]
    few = [row for row in rows if _has_few(row)]
    if 2 * (len(sparse) + len(few)) > len(rows):
        sparse += few
    if not sparse:
        return None
    empty = sum(row.count('.') for row in sparse)
    return (
        f'{empty} of {total} frames have no box while frames of the same video beside them have: they count as frames '
        'without objects. If nobody annotated them, say "is_annotated": false of each in \'images\', otherwise true'
    )


def _looks_sparse(row: str) -> bool:
    """Return whether a video, a mark for each frame, has boxes in frames that somebody picked."""
    runs = [match.span() for match in re.finditer('b+', row)]
    if len(runs) < 3:
        return False
    between = row.strip('. ')  # before the first and after the last object there is nothing to see
    run, gap = between.count('b') / len(runs), between.count('.') / (len(runs) - 1)
    step = math.gcd(*(start - runs[0][0] for start, _ in runs))
    return run <= gap and (run <= _LONGEST_RUN or step >= 2 * max(end - start for start, end in runs))


def _has_few(row: str) -> bool:
    """Return whether only one or two single frames have boxes, and not because an object enters last."""
    runs = re.findall('b+', row)
    enters_last = len(runs) == 1 and row.endswith('b')
    return runs in (['b'], ['b', 'b']) and not enters_last and row.count('.') >= len(runs)
