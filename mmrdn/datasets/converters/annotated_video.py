# Copyright (c) mmrdn contributors. All rights reserved.
"""The representation that all annotation formats are read into and written from."""

import math
from dataclasses import dataclass, field, replace

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class TrackBox:
    """A box of a track in one frame.

    Attributes:
        frame (float): Index of the frame from 0; a fraction lies between two frames.
        box (Box): x1, y1, x2, y2 in pixels, x2 - x1 being the width.
        keyframe (bool): Whether an annotator drew it.
        outside (bool): Whether the object is out of sight from this frame on.
        occluded (bool): Whether something hides a part of it.
        interpolated (bool): Whether it was computed from its neighbors.
        ignore (bool): Whether it marks a region that counts as neither object nor background.
        rotation (float): Clockwise degrees about the center.
    """

    frame: float
    box: Box
    keyframe: bool = True
    outside: bool = False
    occluded: bool = False
    interpolated: bool = False
    ignore: bool = False
    rotation: float = 0.0

    def upright(self) -> 'TrackBox':
        """Return the smallest upright box around a rotated one."""
        if not self.rotation:
            return self
        x1, y1, x2, y2 = self.box
        cosine, sine = (abs(f(math.radians(self.rotation))) for f in (math.cos, math.sin))
        half_width = ((x2 - x1) * cosine + (y2 - y1) * sine) / 2
        half_height = ((x2 - x1) * sine + (y2 - y1) * cosine) / 2
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        return replace(self, box=(x - half_width, y - half_height, x + half_width, y + half_height), rotation=0.0)


@dataclass
class Track:
    """An object through a video.

    Attributes:
        label (str or None): Name of its class; None for a region to ignore.
        boxes (list[TrackBox]): Its boxes in the order of their frames.
        name (str): Id in the file that it comes from, '' if it has none.
    """

    label: str | None
    boxes: list[TrackBox] = field(default_factory=list)
    name: str = ''


@dataclass(frozen=True)
class VideoFrame:
    """An image of a video.

    Attributes:
        file_name (str): Path below the directory of all frames.
        width (int): Width in pixels.
        height (int): Height in pixels.
        annotated (bool, optional): Whether an annotator looked for objects in it; None if unknown.
    """

    file_name: str
    width: int
    height: int
    annotated: bool | None = None


@dataclass
class AnnotatedVideo:
    """A video with its tracks.

    Attributes:
        name (str): Name of the video.
        frames (list[VideoFrame]): Its frames in order.
        tracks (list[Track]): Its tracks.
        source (str): File that it was read from.
        classes (tuple[str, ...]): Classes that the file declares, in its order.
        inclusive (bool): Whether x2 and y2 are those of the last pixel: x2 = x1 is one pixel wide.
    """

    name: str
    frames: list[VideoFrame]
    tracks: list[Track]
    source: str = ''
    classes: tuple[str, ...] = ()
    inclusive: bool = False


def box_of_points(points: list[tuple[float, float]]) -> Box:
    """Return the smallest box around points."""
    xs, ys = zip(*points)
    return min(xs), min(ys), max(xs), max(ys)
