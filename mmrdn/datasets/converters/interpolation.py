# Copyright (c) mmrdn contributors. All rights reserved.
"""Boxes between keyframes."""

import math
from collections.abc import Sequence
from dataclasses import replace

from mmrdn.datasets.converters.annotated_video import TrackBox


def fill_track(boxes: Sequence[TrackBox], num_frames: int) -> list[TrackBox]:
    """Give a track a box in every frame in which its object is in sight, as annotation tools do.

    Boxes that are there stay as they are. Between two of them each frame gets a linear mixture
    (rotation on the shorter way round), unless the first is ``outside``; the second may be: it marks
    the frame where the object goes out of sight. After the last box, unless it is ``outside``, the object
    stays where it is.

    Args:
        boxes (Sequence[TrackBox]): Boxes of different frames, in any order.
        num_frames (int): Length of the video.

    Returns:
        list[TrackBox]: Boxes of whole frames, in order, those ``outside`` left out.
    """
    ordered = sorted(boxes, key=lambda box: box.frame)
    filled = []
    for box, following in zip(ordered, [*ordered[1:], None]):
        if box.outside:
            continue
        if box.frame == int(box.frame):
            filled.append(replace(box, frame=int(box.frame)))
        end = num_frames if following is None else min(following.frame, num_frames)
        for frame in range(math.floor(box.frame) + 1, math.ceil(end)):
            filled.append(_between(box, following or box, frame))
    return filled


def _between(box: TrackBox, following: TrackBox, frame: int) -> TrackBox:
    distance = following.frame - box.frame
    share = (frame - box.frame) / distance if distance else 0.0
    turn = (following.rotation - box.rotation + 180) % 360 - 180
    x1, y1, x2, y2 = (a + (b - a) * share for a, b in zip(box.box, following.box))
    return replace(
        box, frame=frame, box=(x1, y1, x2, y2), rotation=box.rotation + turn * share, keyframe=False, interpolated=True
    )
