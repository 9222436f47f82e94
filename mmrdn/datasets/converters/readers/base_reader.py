# Copyright (c) mmrdn contributors. All rights reserved.
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, VideoFrame
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.loose_frames import group_frames
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.fileio.named_file import read_named
from mmrdn.utils.text import shown

MAX_FRAMES = 10_000_000


class BaseReader(ABC):
    """A reader of the files of one annotation tool or benchmark.

    Args:
        frames (FrameFiles): Names and sizes of the frames.
        losses (LossReport): Counter of information that is lost.
        wanted (Sequence[str], optional): Classes to keep, for formats that carry numbers only.
        pattern (str, optional): Regular expression by which loose frames are grouped into videos.

    Attributes:
        ignores_unwanted (bool): Whether boxes of classes that are not wanted become regions to
            ignore, rather than being left out.
        unused (dict[str, str]): Options without effect so far, and what takes their place.
    """

    ignores_unwanted = False

    def __init__(
        self, frames: FrameFiles, losses: LossReport, wanted: Sequence[str] | None = None, pattern: str | None = None
    ) -> None:
        self.frames = frames
        self.losses = losses
        self.wanted = wanted
        self._pattern = pattern
        self._grouped = False

    @property
    def unused(self) -> dict[str, str]:
        reason = {'--video-pattern': 'the files say which video each frame belongs to'}
        return self.frames.unused | (reason if self._pattern and not self._grouped else {})

    def group_names(self, names: Iterable[str], default: str) -> dict[str, list[str]]:
        """Group loose images into videos, see :func:`group_frames`."""
        self._grouped = True
        return group_frames(names, default, self._pattern)

    def group(self, files: Mapping[str, Any], default: str) -> dict[str, list[tuple[str, Any]]]:
        """Group annotation files of one image each into videos by the names of the images.

        Images in ``--frames`` that have no file join the frames of videos that have some.

        Args:
            files (Mapping[str, Any]): Annotation file of each image, by the path of the image.
            default (str): Name of the video whose frames have nothing before the number.

        Returns:
            dict[str, list[tuple[str, Any]]]: Path and file of each frame of each video, in order; None
            for one without a file.
        """
        found = {self.frames.find(name, '', 'its annotation'): file for name, file in files.items()}
        images = dict.fromkeys(self.frames.all_images().values()) | found
        videos = self.group_names(images, default)
        return {
            video: [(name, images[name]) for name in names]
            for video, names in videos.items()
            if any(name in found for name in names)
        }

    def frame_without_file(self, video: str, index: int, name: str, path: str) -> VideoFrame:
        """Return a frame that :meth:`group` gave no file: it was not annotated."""
        (frame,) = self.frames.of_video(video, [index], None, path, [name])
        return replace(frame, annotated=False)

    @abstractmethod
    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a file or directory.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: A file is broken; the message names it and the line, element or field.
        """


def check_frame(index: float, num_frames: int, number: object, where: str) -> None:
    """Raise ValueError unless a video has a frame of this index."""
    if index < 0:
        raise ValueError(f'{where}: frame {number} is before the first frame of the video')
    if index >= num_frames:
        raise ValueError(f'{where}: frame {number} is beyond the video, which has {num_frames} frames')


def to_number(text: str | None, name: str, where: str) -> float:
    """Return a text as a number.

    Raises:
        ValueError: It is not a finite number; names it.
    """
    plain = (text or '').strip()
    if re.fullmatch(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?', plain):
        value = float(plain)
        if abs(value) < 1e12:
            return value
    raise ValueError(f"{where}: {name} must be a number, got '{shown(text or '')}'")


def to_integer(text: str | None, name: str, where: str) -> int:
    """Return a text as an integer.

    Raises:
        ValueError: It is not an integer; names it.
    """
    plain = (text or '').strip()
    if not re.fullmatch(r'[+-]?[0-9]{1,12}(\.0*)?', plain):
        raise ValueError(f"{where}: {name} must be an integer, got '{shown(text or '')}'")
    return int(float(plain))


def read_lines(path: str | os.PathLike) -> list[tuple[str, str]]:
    """Read a text file.

    Returns:
        list[tuple[str, str]]: Place ("<file>: line 3") and text of each line that is not blank.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not UTF-8 text.
    """
    try:
        text = read_named(path).decode('utf-8-sig')
    except UnicodeDecodeError:
        raise ValueError(f'{path}: not a text file') from None
    if '\0' in text:
        raise ValueError(f'{path}: not a text file')
    lines = re.split('\r\n|\r|\n', text)
    return [(f'{path}: line {number}', line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def check_num_frames(count: int, where: str) -> int:
    """Return a number of frames or pixels, once it is known to be possible.

    Raises:
        ValueError: It is below 1, or above ``MAX_FRAMES``.
    """
    if not 1 <= count <= MAX_FRAMES:
        raise ValueError(f'{where}: expected 1 to {MAX_FRAMES}, got {count}')
    return count
