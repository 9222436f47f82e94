# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert annotations of any known format to COCO-VID JSON."""

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track
from mmrdn.datasets.converters.coco_vid_data import CocoVidData
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.ilsvrc import check_output
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.readers import READERS, BaseReader
from mmrdn.datasets.converters.recognition import guess_format
from mmrdn.datasets.converters.splitting import split_videos
from mmrdn.fileio.json_files import write_json

PART_NAMES = ('train', 'val', 'test')


def convert_to_coco_vid(
    format_name: str,
    inputs: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    frames: FrameFiles | None = None,
    classes: Sequence[str] | None = None,
    renamed: Mapping[str, str] | None = None,
    pattern: str | None = None,
    split: Sequence[float] | None = None,
    seed: int = 0,
    overwrite: bool = False,
    annotated_only: bool = False,
) -> dict[str, dict[str, Any]]:
    """Convert annotations to COCO-VID JSON. On any error nothing is written.

    Args:
        format_name (str): A name of ``READERS``.
        inputs (Sequence[str or Path]): Files or directories.
        out (str or Path): File to write; of parts, ``data_train.json`` and so on for ``data.json``.
        frames (FrameFiles, optional): Names and sizes of the frames.
        classes (Sequence[str], optional): Classes to keep, in the order of the labels; by default
            those of the files.
        renamed (Mapping[str, str], optional): New names of classes; several may get one name.
        pattern (str, optional): Regular expression by which loose frames are grouped.
        split (Sequence[float], optional): Shares of parts, by video.
        seed (int): Seed of the split.
        overwrite (bool): Whether to replace existing files.
        annotated_only (bool): Whether a frame without a box that an annotator drew counts as not
            annotated, unless the file marks it as annotated; boxes computed there are left out.

    Returns:
        dict[str, dict]: By written file: numbers of ``videos``, ``images``, ``annotations`` and
        ``tracks``, and of ``unannotated_images`` if there are any, and ``boxes`` by class. The
        entry ``''`` has ``losses``, a line a kind.

    Raises:
        FileExistsError: An output exists.
        FileNotFoundError: A file is missing.
        ValueError: A file is broken; the message names it and the line, element or field.
    """
    outputs = _name_outputs(Path(out), split)
    for path in outputs:
        check_output(path, overwrite)
    losses = LossReport()
    reader = READERS[format_name](frames or FrameFiles(), losses, classes, pattern)
    videos = [video for path in inputs for video in _read(reader, format_name, Path(path))]
    _check_videos(videos, inputs)
    if annotated_only:
        videos = [_mark_annotated(video, losses) for video in videos]
    _check_renamed(videos, renamed or {})
    videos = [_rename(video, renamed or {}) for video in videos]
    names = _choose_classes(videos, classes)
    videos = [_keep(video, names, reader.ignores_unwanted, losses) for video in videos]
    parts = split_videos(videos, split, seed) if split else [videos]
    written = {}
    for path, part in zip(outputs, parts):
        coco = CocoVidData(names, losses)
        for video in part:
            coco.add_video(video)
        written[path] = coco.data
    if not any(data['annotations'] for data in written.values()):
        reason = f' ({"; ".join(losses.lines())})' if losses.counts else ''
        raise ValueError(f'{inputs[0]}: no boxes that could be converted{reason}')
    for option, reason in reader.unused.items():
        warnings.warn(f'{option} has no effect: {reason}')
    reader.frames.write(overwrite)
    for path, data in written.items():
        write_json(data, path, indent=None)
    return {str(path): _summary(data) for path, data in written.items()} | {'': dict(losses=losses.lines())}


def _name_outputs(out: Path, split: Sequence[float] | None) -> list[Path]:
    if not split:
        return [out]
    names = PART_NAMES if len(split) <= len(PART_NAMES) else [f'part{i}' for i in range(1, len(split) + 1)]
    return [out.with_name(f'{out.stem}_{name}{out.suffix}') for name in names[: len(split)]]


def _read(reader: BaseReader, format_name: str, path: Path) -> list[AnnotatedVideo]:
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such file or directory')
    try:
        videos = reader.read(path)
        if not videos:
            raise ValueError(f'{path} is empty: it has no frames')
        return videos
    except (ValueError, FileNotFoundError) as error:
        found = guess_format(path)
        if found and found != format_name:
            raise type(error)(f'{error}; it looks like the format {found}') from None
        raise


def _check_videos(videos: Sequence[AnnotatedVideo], inputs: Sequence[str | os.PathLike]) -> None:
    """Refuse two files for one video, and files for one image."""
    sources: dict[str, str] = {}
    images: dict[str, str] = {}
    for video in videos:
        if video.name in sources:
            raise ValueError(
                f'two files for the video {video.name}: {sources[video.name]} and {video.source}; convert one of them, '
                'or rename the video in one'
            )
        sources[video.name] = video.source
        for frame in video.frames:
            if frame.file_name in images:
                raise ValueError(
                    f'image {frame.file_name} is in two videos, of {images[frame.file_name]} and {video.source}'
                )
            images[frame.file_name] = video.source
    if not images:
        raise ValueError(f'{inputs[0]} is empty: it has no frames')


def _mark_annotated(video: AnnotatedVideo, losses: LossReport) -> AnnotatedVideo:
    """Mark the frames that were not annotated, by the file or its boxes; leave out the boxes computed there."""
    seen = {box.frame for track in video.tracks for box in track.boxes if box.keyframe}
    seen |= {i for i, frame in enumerate(video.frames) if frame.annotated}
    frames = [frame if i in seen else replace(frame, annotated=False) for i, frame in enumerate(video.frames)]
    tracks, where = [], f'{video.source}: {video.name}'
    for track in video.tracks:
        kept = [box for box in track.boxes if box.frame in seen]
        for _ in range(len(track.boxes) - len(kept)):
            losses.add('boxes between the annotated frames were left out', where)
        tracks.append(replace(track, boxes=kept))
    return replace(video, frames=frames, tracks=tracks)


def _check_renamed(videos: Sequence[AnnotatedVideo], renamed: Mapping[str, str]) -> None:
    found = dict.fromkeys(name for video in videos for name in video.classes)
    found |= dict.fromkeys(track.label for video in videos for track in video.tracks if track.label)
    for old in renamed:
        if old not in found:
            raise ValueError(
                f"{videos[0].source}: --map: there is no class '{old}', the classes are {', '.join(found)}"
            )


def _rename(video: AnnotatedVideo, renamed: Mapping[str, str]) -> AnnotatedVideo:
    tracks = [Track(renamed.get(track.label or '', track.label), track.boxes, track.name) for track in video.tracks]
    declared = tuple(dict.fromkeys(renamed.get(name, name) for name in video.classes))
    return replace(video, tracks=tracks, classes=declared)


def _choose_classes(videos: Sequence[AnnotatedVideo], wanted: Sequence[str] | None) -> list[str]:
    """Return the classes of the output: those wanted, or those of the files in their order."""
    found = dict.fromkeys(name for video in videos for name in video.classes)
    found |= dict.fromkeys(name for video in videos for name in _classes_of(video))
    for name in wanted or ():
        if name not in found:
            raise ValueError(
                f"{videos[0].source}: there is no class '{name}' (after --map), the classes are {', '.join(found)}"
            )
    if not found:
        raise ValueError(f'{videos[0].source} is empty: it has no class')
    names = list(dict.fromkeys(wanted or found))
    for video in videos:
        if any(not name.strip() and name in names for name in _classes_of(video)):
            raise ValueError(f'{video.source}: a class has an empty name')
    return names


def _classes_of(video: AnnotatedVideo) -> Sequence[str]:
    """Return the classes that the file declares, else those of its boxes."""
    return video.classes or [track.label for track in video.tracks if track.label]


def _keep(video: AnnotatedVideo, names: Sequence[str], ignores_unwanted: bool, losses: LossReport) -> AnnotatedVideo:
    """Leave out the tracks of other classes, or let them be regions to ignore."""
    tracks = []
    for track in video.tracks:
        unwanted = track.label is not None and track.label not in names
        if unwanted and ignores_unwanted:
            track = replace(track, boxes=[replace(box, ignore=True) for box in track.boxes])
        elif unwanted:
            for _ in track.boxes:
                losses.add(f'boxes of the class {track.label} were left out', f'{video.source}: {video.name}')
            continue
        tracks.append(track)
    return replace(video, tracks=tracks)


def _summary(data: dict) -> dict[str, Any]:
    names = {entry['id']: entry['name'] for entry in data['categories']}
    boxes = Counter(names[entry['category_id']] for entry in data['annotations'] if not entry.get('ignore'))
    counts = {part: len(data[part]) for part in ('videos', 'images', 'annotations')}
    tracks = len({entry['instance_id'] for entry in data['annotations']})
    unannotated = sum(image.get('is_annotated') is False for image in data['images'])
    if unannotated:
        counts['unannotated_images'] = unannotated
    return dict(**counts, tracks=tracks, boxes={name: boxes.get(name, 0) for name in names.values()})
