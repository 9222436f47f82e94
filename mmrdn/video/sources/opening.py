# Copyright (c) mmrdn contributors. All rights reserved.
"""Open a source by the name that a user gives."""

import os
import re
from pathlib import Path

from mmrdn.fileio.download import shown_url
from mmrdn.fileio.image_files import IMAGE_SUFFIXES
from mmrdn.video.sources.base_source import DEFAULT_FPS, BaseSource
from mmrdn.video.sources.image_folder_source import ImageFolderSource
from mmrdn.video.sources.live_source import LiveSource
from mmrdn.video.sources.raw_source import RawSource
from mmrdn.video.sources.video_file_source import VideoFileSource

Size = str | tuple[int, int]


def open_source(
    spec: str | Path,
    size: Size | None = None,
    strict: bool = False,
    max_frames: int | None = None,
    fps: float | None = None,
) -> BaseSource:
    """Open a source of frames.

    Args:
        spec (str or Path): A video file; a directory, a pattern or the name of images; the number
            of a camera; a URL such as ``rtsp://...``; or ``-`` for raw BGR24 frames on standard
            input.
        size (str or tuple[int, int], optional): Width and height of raw frames, ``'640x480'`` or
            ``(640, 480)``.
        strict (bool): Whether to stop at an image that cannot be read.
        max_frames (int, optional): Number of frames to stop after.
        fps (float, optional): Frames a second of images and raw frames; 25 if not given.

    Returns:
        BaseSource: An iterable of frames.

    Raises:
        FileNotFoundError: Nothing of this name exists.
        ValueError: It cannot be used; names it.
    """
    spec = str(spec)
    check_fps(fps)
    if size is not None and spec != '-':
        raise ValueError(f'size is that of raw frames on stdin ("-"), but the video is {shown_url(spec)}')
    if spec == '-':
        if size is None:
            raise ValueError('raw frames on stdin need their size, WxH: --size 640x480')
        return RawSource(_parse_size(size), max_frames=max_frames, fps=fps or DEFAULT_FPS)
    exists = os.path.exists(spec)
    is_url = re.match(r'[a-z][a-z0-9+.-]*://', spec, re.IGNORECASE)
    is_pattern = not exists and re.search(r'[*?\[]', spec)
    if not is_url and (os.path.isdir(spec) or spec.lower().endswith(IMAGE_SUFFIXES) or is_pattern):
        return ImageFolderSource(spec, strict, max_frames, fps or DEFAULT_FPS)
    if fps is not None:
        raise ValueError(f'fps is that of images and raw frames; {shown_url(spec)} has its own times')
    if is_url or spec.isdecimal() and not exists:
        return LiveSource(spec, max_frames)
    return VideoFileSource(spec, max_frames)


def check_fps(fps: float | None) -> None:
    """Raise ValueError unless a frame rate, if given, is a finite number above 0."""
    if fps is not None and not 0 < fps < float('inf'):
        raise ValueError(f'fps must be positive, got {fps}')


def _parse_size(size: Size) -> tuple[int, int]:
    """Return width and height of ``'640x480'``, or raise ValueError."""
    if isinstance(size, str):
        found = re.fullmatch(r'(\d+)x(\d+)', size)
        if not found:
            raise ValueError(f'size must be WxH, such as 640x480, got {size}')
        size = int(found.group(1)), int(found.group(2))
    return size
