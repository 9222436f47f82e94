# Copyright (c) mmrdn contributors. All rights reserved.
"""Recognizing videos of which only some frames were annotated."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import NamedTuple

_LONGEST_RUN = 3  # frames in a row with boxes, on average; objects that were followed stay longer
_LEAST_SHARE = 1 / 3  # of all frames; every second one is nearly a half


class AnnotatedFrame(NamedTuple):
    """What is known about the annotation of a frame.

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

    They are suspicious if they are many (about every second one, or more) while the frames with
    boxes come alone or in short runs: objects that somebody followed are there for longer. Frames
    of which ``is_annotated`` is said are no longer suspicious.

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
    rows = [row for row in rows if 'b' in row and '.' in row]
    empty, boxed = (sum(row.count(mark) for row in rows) for mark in '.b')
    runs = sum(len(re.findall('b+', row)) for row in rows)
    if not rows or empty < _LEAST_SHARE * total or boxed > _LONGEST_RUN * runs:
        return None
    return (
        f'{empty} of {total} frames have no box while frames of the same video beside them have: they count as frames '
        'without objects. If nobody annotated them, say "is_annotated": false of each in \'images\', otherwise true'
    )
