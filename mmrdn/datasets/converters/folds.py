# Copyright (c) mmrdn contributors. All rights reserved.
"""Folds of a data set by video, for cross-validation."""

import tempfile
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmrdn.datasets.converters.conversion import convert_to_coco_vid
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.readers import READERS
from mmrdn.datasets.converters.splitting import split_videos
from mmrdn.fileio.json_files import read_json


class Fold(NamedTuple):
    """COCO-VID data of a fold.

    Attributes:
        train (dict): All videos but those of ``val``.
        val (dict): Videos that no other fold has.
    """

    train: dict[str, Any]
    val: dict[str, Any]


def split_into_folds(files: Sequence[str], num_folds: int, one_class: str | None = None, seed: int = 0) -> list[Fold]:
    """Split the videos of COCO-VID files into folds.

    Each video is validated on in one fold and trained on in the others. Folds get like shares of
    the boxes of each class, see :func:`split_videos`. The same files give the same folds.

    Args:
        files (Sequence[str]): COCO-VID files; they are joined.
        num_folds (int): Number of folds, 2 or more.
        one_class (str, optional): Name of the class that all boxes get, after the split.
        seed (int): Seed of the split.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is broken, or there are fewer videos than folds.
    """
    if num_folds < 2:
        raise ValueError(f'expected 2 or more folds, got {num_folds}')
    with tempfile.TemporaryDirectory() as directory:
        joined = Path(directory, 'joined.json')
        losses = convert_to_coco_vid('coco', files, joined)['']['losses']
        data = read_json(joined)
        videos = READERS['coco'](FrameFiles(), LossReport()).read(joined)
    for loss in losses:
        warnings.warn(loss)
    if len(videos) < num_folds:
        raise ValueError(f'{files[0]}: {num_folds} folds need as many videos at least, got {len(videos)}')
    if one_class is not None:
        data['categories'] = [dict(id=1, name=one_class)]
        data['annotations'] = [dict(entry, category_id=1) for entry in data['annotations']]
    parts = split_videos(videos, [1 / num_folds] * num_folds, seed, largest_first=True)
    names = [{video.name for video in part} for part in parts]
    return [Fold(_select(data, set().union(*names) - val), _select(data, val)) for val in names]


def _select(data: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the data of the videos of these names; ids stay."""
    videos = [video for video in data['videos'] if video['name'] in names]
    ids = {video['id'] for video in videos}
    entries = {key: [entry for entry in data[key] if entry['video_id'] in ids] for key in ('images', 'annotations')}
    return dict(data, videos=videos, **entries)
