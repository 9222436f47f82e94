# Copyright (c) mmrdn contributors. All rights reserved.
"""Checks of the image files, and frames of video files, that a COCO-VID file names."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mmrdn.fileio.image_files import decode_image, read_image_size
from mmrdn.fileio.video_files import VideoFrames, split_frame_path
from mmrdn.own_videos.coco_vid_tables import CocoVidTables
from mmrdn.own_videos.findings import DROP
from mmrdn.utils.text import shown


class ImageFile(NamedTuple):
    """Size, problem and hash of the file of a frame.

    Attributes:
        size (tuple[int, int], optional): Width and height in pixels; None if it cannot be read.
        problem (tuple[str, str], optional): Kind and description of a finding.
        digest (bytes): Hash of its content; empty if that was not read.
    """

    size: tuple[int, int] | None = None
    problem: tuple[str, str] | None = None
    digest: bytes = b''


def check_files(tables: CocoVidTables, images: str | os.PathLike, headers_only: bool = False) -> list[bytes]:
    """Add files that are absent, undecodable or of another size to the findings.

    Args:
        tables (CocoVidTables): The COCO-VID file.
        images (str or Path): Directory that its file names are relative to.
        headers_only (bool): Whether to read the sizes only, not the pixels: a hundred times faster,
            and blind to files that are broken behind their headers.

    Returns:
        list[bytes]: Hash of each file, empty if it was not read.

    Raises:
        ValueError: None of the files is there.
    """
    if not Path(images).is_dir():
        raise ValueError(f'{images} is no directory of images')
    digests, num_absent = [], 0
    paths = (Path(images) / str(name) for name in tables.images.names)
    for row, file in enumerate(_read_files(paths, headers_only)):
        digests.append(file.digest)
        at = tables.images.at(row)
        if file.problem:
            num_absent += file.problem[0] == 'file-absent'
            tables.findings.add(file.problem[0], 'file_name', file.problem[1], **at, repair=DROP)
        elif file.size and file.size != tuple(tables.images.sizes[row].tolist()):
            width, height = file.size
            said = 'x'.join(map(str, tables.images.sizes[row].tolist()))
            text = f'is {said} in the annotations, the file {shown(str(tables.images.names[row]))} is {width}x{height}'
            tables.findings.add('other-size', 'width, height', text, **at, repair=dict(width=width, height=height))
    if digests and num_absent == len(digests):
        raise ValueError(f'{images}: none of the {num_absent} files of {tables.path} is there; is the directory right?')
    return digests


def _read_files(paths: Iterator[Path], headers_only: bool, batch: int = 1024) -> Iterator[ImageFile]:
    """Read files in order, some images at once: decoding leaves Python's lock to others."""
    read, videos = _read_header if headers_only else _read_whole, _VideoFile(headers_only)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(paths, batch)):
            frames = list(map(split_frame_path, some))
            images = pool.map(read, (path for path, frame in zip(some, frames) if frame is None))
            for frame in frames:
                yield videos.read(*frame) if frame else next(images)


class _VideoFile:
    """A video file, which stays open until a frame of another one is read.

    Args:
        headers_only (bool): Whether to decode its first frame only, for the size.
    """

    def __init__(self, headers_only: bool) -> None:
        self._headers_only = headers_only
        self._path: str | None = None
        self._frames: VideoFrames | None = None
        self._first = ImageFile()

    def read(self, path: str, index: int) -> ImageFile:
        """Read a frame of a video file."""
        if path != self._path:
            self._open(path)
        if self._frames is None:
            return self._first
        if index >= len(self._frames):
            text = f'{self._frames.name} has {len(self._frames)} frames, there is no frame {index}'
            return ImageFile(problem=('file-absent', text))
        return self._first if self._headers_only else self._decode(index)

    def _open(self, path: str) -> None:
        if self._frames is not None:
            self._frames.close()
        self._path, self._frames = path, None
        try:
            self._frames = VideoFrames(path)
        except (OSError, ValueError) as error:
            self._first = ImageFile(problem=('file-undecodable', str(error)))
        else:
            self._first = self._decode(0) if self._headers_only else ImageFile()

    def _decode(self, index: int) -> ImageFile:
        assert self._frames is not None
        try:
            image = self._frames[index]
        except (OSError, ValueError) as error:
            return ImageFile(problem=('file-undecodable', str(error)))
        height, width = image.shape[:2]
        return ImageFile((width, height), digest=blake2b(image.tobytes(), digest_size=16).digest())


def _read_whole(path: Path) -> ImageFile:
    try:
        content = path.read_bytes()
        height, width = decode_image(content, path).shape[:2]
    except FileNotFoundError:
        return _absent(path)
    except (OSError, ValueError) as error:
        return ImageFile(problem=('file-undecodable', str(error)))
    return ImageFile((width, height), digest=blake2b(content, digest_size=16).digest())


def _read_header(path: Path) -> ImageFile:
    try:
        return ImageFile(read_image_size(path))
    except FileNotFoundError:
        return _absent(path)
    except ValueError as error:
        return ImageFile(problem=('file-undecodable', str(error)))


def _absent(path: Path) -> ImageFile:
    return ImageFile(problem=('file-absent', f'{path} does not exist'))
