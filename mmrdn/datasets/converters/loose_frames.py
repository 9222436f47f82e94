# Copyright (c) mmrdn contributors. All rights reserved.
"""Group images that belong to no video into videos, by their names."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

# As Roboflow writes: clip_mp4-0012_jpg.rf.0123456789abcdef.jpg
_ROBOFLOW = re.compile(r'_(jpe?g|png|bmp|webp)\.rf\.[0-9A-Za-z]+$')
_GENERIC = re.compile(r'(^|[/ _.-])(frames?|img|images?|im)$', re.IGNORECASE)


def group_frames(names: Iterable[str], default: str, pattern: str | None = None) -> dict[str, list[str]]:
    """Group images into videos by their names.

    The last digits of a name are the number of the frame, what stands before them is the video,
    without words such as "frame" and "img": ``a/clip_012.jpg`` is frame 12 of ``a/clip``,
    ``clip/frame_000012.PNG`` frame 12 of ``clip``.

    Args:
        names (Iterable[str]): Paths of images.
        default (str): Name of the video whose frames have nothing before the number.
        pattern (str, optional): Regular expression with the groups ``video`` and ``frame`` instead.

    Returns:
        dict[str, list[str]]: Images of each video, in the order of their numbers.

    Raises:
        ValueError: A name does not match, two images have one number, or the pattern is invalid.
    """
    videos: dict[str, dict[int, str]] = {}
    expression = _compile(pattern) if pattern else None
    for name in names:
        video, number = _split(name, expression)
        video = video or default
        frames = videos.setdefault(video, {})
        if frames.setdefault(number, name) != name:
            raise ValueError(
                f'image {name} and image {frames[number]} would both be frame {number} of the video {video}: '
                'pass --video-pattern, such as "(?P<video>.+)_(?P<frame>[0-9]+)"'
            )
    return {video: [frames[number] for number in sorted(frames)] for video, frames in videos.items()}


def _compile(pattern: str) -> re.Pattern:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'--video-pattern {pattern}: no regular expression, {error}') from None
    if not {'video', 'frame'} <= set(expression.groupindex):
        raise ValueError(f'--video-pattern {pattern}: expected the groups (?P<video>...) and (?P<frame>...)')
    return expression


def _split(name: str, expression: re.Pattern | None) -> tuple[str, int]:
    """Return video and number of a frame."""
    if expression:
        match = expression.search(name)
        if not match or not re.fullmatch('[0-9]{1,12}', match['frame'] or ''):
            raise ValueError(f'image {name} does not match --video-pattern with a number as frame')
        return match['video'], int(match['frame'])
    path = PurePosixPath(name.replace('\\', '/'))
    stem = _ROBOFLOW.sub('', str(path.with_suffix('')) if path.suffix else str(path))
    match = re.fullmatch(r'(.*?)([0-9]{1,12})', stem, re.DOTALL)
    if not match:
        return stem, 0  # a video of one frame
    video = match[1].rstrip('/ _.-')
    return _GENERIC.sub('', video).rstrip('/ _.-'), int(match[2])
