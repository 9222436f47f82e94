# Copyright (c) mmrdn contributors. All rights reserved.
"""Helpers that the writers share."""

from collections.abc import Iterator, Sequence

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox
from mmrdn.datasets.converters.loss_report import LossReport

DIGITS = 4  # of coordinates, after the point


def runs_of(boxes: Sequence[TrackBox]) -> Iterator[list[TrackBox]]:
    """Yield the boxes of frames that follow one another."""
    run: list[TrackBox] = []
    for box in boxes:
        if run and box.frame != run[-1].frame + 1:
            yield run
            run = []
        run.append(box)
    if run:
        yield run


def without_ignored(video: AnnotatedVideo, losses: LossReport) -> list[Track]:
    """Return the tracks without regions to ignore, which are counted."""
    tracks = []
    for track in video.tracks:
        boxes = [box for box in track.boxes if not box.ignore]
        for box in track.boxes:
            if box.ignore:
                losses.add('regions to ignore were left out', f'{video.name}, frame_id {box.frame}')
        if boxes:
            tracks.append(Track(track.label, boxes, track.name))
    return tracks


def file_stem(video: AnnotatedVideo, losses: LossReport) -> str:
    """Return the name of a video as that of a file."""
    stem = video.name.replace('/', '_').replace('\\', '_').strip() or 'video'
    if stem in ('.', '..'):
        stem = 'video'
    if stem != video.name:
        losses.add('names of videos were changed', f'{video.name}, now {stem}')
    return stem


def count_frame_losses(
    video: AnnotatedVideo, losses: LossReport, size: bool = False, names: Sequence[str] | None = None
) -> None:
    """Count the properties of frames that most formats cannot express.

    Args:
        video (AnnotatedVideo): The video.
        losses (LossReport): Where it is counted.
        size (bool): Whether sizes that differ within the video are lost.
        names (Sequence[str], optional): Names that the frames get.
    """
    first = video.frames[0] if video.frames else None
    for i, frame in enumerate(video.frames):
        where = f'{video.name}, frame_id {i}'
        if size and (frame.width, frame.height) != (first.width, first.height):
            losses.add('sizes of frames that differ from the first', where)
        if names is not None and frame.file_name != names[i]:
            losses.add('names of images were changed', f'{frame.file_name}, now {names[i]}')
        if frame.annotated is False:
            losses.add('frames that were not annotated became frames without objects', where)
