# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert COCO-VID JSON to the formats of annotation tools and benchmarks."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.ilsvrc import check_output
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.readers.coco import CocoReader
from mmrdn.datasets.converters.writers import WRITERS
from mmrdn.fileio.whole_file import whole_file


def convert_from_coco_vid(
    format_name: str, source: str | os.PathLike, out: str | os.PathLike, fps: float = 25.0, overwrite: bool = False
) -> tuple[list[str], list[str]]:
    """Convert a COCO-VID file. On any error nothing is written.

    Args:
        format_name (str): A name of ``WRITERS``.
        source (str or Path): COCO-VID JSON file.
        out (str or Path): File to write, or for a format of many files their directory.
        fps (float): Frames a second, for formats that have times.
        overwrite (bool): Whether to replace existing files.

    Returns:
        tuple: Paths of the files, and one line for each kind of information that was lost.

    Raises:
        FileExistsError: An output exists.
        FileNotFoundError: The file is missing.
        ValueError: The file is broken, or two videos would get one file.
    """
    if not 0 < fps < float('inf'):
        raise ValueError(f'--fps must be above 0, got {fps}')
    losses = LossReport()
    videos = CocoReader(FrameFiles(), losses).read(Path(source))
    if not videos:
        raise ValueError(f'{source} is empty: it has no frames')
    videos = [replace(video, tracks=[track for track in video.tracks if track.boxes]) for video in videos]
    _check_stems(videos, str(source))
    files = WRITERS[format_name](videos, losses, fps)
    paths = {Path(out) / name if name else Path(out): content for name, content in files.items()}
    for path in paths:
        check_output(path, overwrite)
    for path, content in paths.items():
        with whole_file(path, overwrite) as file:
            file.write(content)
    return list(map(str, paths)), losses.lines()


def _check_stems(videos: Sequence[AnnotatedVideo], source: str) -> None:
    stems: dict[str, str] = {}
    for video in videos:
        other = stems.setdefault(video.name.replace('/', '_').replace('\\', '_').strip(), video.name)
        if other != video.name:
            raise ValueError(f'{source}: the videos {other} and {video.name} would get one name')
