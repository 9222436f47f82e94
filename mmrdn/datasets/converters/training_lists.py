# Copyright (c) mmrdn contributors. All rights reserved.
"""Read the lists of training images that FGFA, MEGA and mmtrack share.

``VID_train_15frames.txt`` has lines ``train/<directory> 1 <frame> <frames of the video>``, frames
counted from 0 as their files are; ``DET_train_30classes.txt`` has lines ``train/<image> 1``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmrdn.datasets.converters.ilsvrc import PathLike, read_lines
from mmrdn.utils.text import shown

_NAME = re.compile(r'train(/[\w-]+)+', re.ASCII)
_NUMBER = re.compile('[0-9]{1,9}', re.ASCII)


@dataclass
class ListedVideo:
    """Training frames of a video.

    Attributes:
        name (str): Name, ``train/<directory>``.
        num_frames (int): Number of frames of the video.
        where (str): File and line that name it first, for messages.
        frames (dict[int, str]): File and line of each training frame, by its number.
    """

    name: str
    num_frames: int
    where: str
    frames: dict[int, str] = field(default_factory=dict)

    def select(self, names: Sequence[str]) -> list[int]:
        """Return the indices of the training frames.

        Args:
            names (Sequence[str]): Names of all frames of the video, such as ``000010``.

        Raises:
            ValueError: The video is shorter than the list says, or lacks one of them.
        """
        if len(names) < self.num_frames:
            raise ValueError(f'{self.where}: {self.name} must have {self.num_frames} frames, found {len(names)}')
        index = {name: i for i, name in enumerate(names)}
        for number, where in self.frames.items():
            if f'{number:06d}' not in index:
                raise ValueError(f'{where}: {self.name} has no frame {number:06d}')
        return [index[f'{number:06d}'] for number in sorted(self.frames)]


def read_vid_list(path: PathLike) -> tuple[list[ListedVideo], list[str]]:
    """Read a list of training frames of VID.

    Args:
        path (str | os.PathLike): The list.

    Returns:
        tuple[list[ListedVideo], list[str]]: Videos in the order of the list, and a note for each
        frame that it names twice.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, or a line is broken; the message names it.
    """
    videos: dict[str, ListedVideo] = {}
    notes = []
    for where, fields in _lines(path):
        if len(fields) != 4 or not all(map(_NUMBER.fullmatch, fields[1:])):
            raise ValueError(
                f"{where}: expected '<video> 1 <frame> <frames of the video>', got '{shown(' '.join(fields))}'"
            )
        name, frame, num_frames = fields[0], int(fields[2]), int(fields[3])
        if frame >= num_frames:
            raise ValueError(f'{where}: frame {frame} of {num_frames} frames, expected 0 to {num_frames - 1}')
        video = videos.setdefault(name, ListedVideo(name, num_frames, where))
        if video.num_frames != num_frames:
            raise ValueError(f'{where}: {name} has {num_frames} frames, but {video.num_frames} in {video.where}')
        if frame in video.frames:
            notes.append(f'{where}: frame {frame} of {name} again, counts once')
        video.frames.setdefault(frame, where)
    return list(videos.values()), notes


def read_det_list(path: PathLike) -> list[tuple[str, str]]:
    """Read a list of training images of DET.

    Args:
        path (str | os.PathLike): The list.

    Returns:
        list[tuple[str, str]]: File and line, for messages, and name, as ``train/<image>`` without
        suffix, of each image; one that is there twice counts twice, as elsewhere.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, or a line is broken; the message names it.
    """
    images = []
    for where, fields in _lines(path):
        if len(fields) > 2 or not all(map(_NUMBER.fullmatch, fields[1:])):
            raise ValueError(f"{where}: expected '<image> 1', got '{shown(' '.join(fields))}'")
        images.append((where, fields[0]))
    return images


def _lines(path: PathLike) -> list[tuple[str, list[str]]]:
    """Return place and fields of each line; the first is a name of the training split."""
    lines = [(f'{path}, line {number}', fields) for number, fields in read_lines(path)]
    if not lines:
        raise ValueError(f"{path} is empty, expected lines that begin with 'train/'")
    for where, fields in lines:
        if not _NAME.fullmatch(fields[0]):
            raise ValueError(f"{where}: expected a name 'train/...', got '{shown(fields[0])}'")
    return lines
