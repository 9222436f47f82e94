# Copyright (c) mmrdn contributors. All rights reserved.
import json
from collections.abc import Sequence

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, TrackBox
from mmrdn.datasets.converters.interpolation import fill_track
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.writers.runs import count_frame_losses, file_stem, runs_of, without_ignored

_TOLERANCE = 1e-3  # pixels, between a box and its interpolation


def label_studio_files(videos: Sequence[AnnotatedVideo], losses: LossReport, fps: float) -> dict[str, bytes]:
    """Return a Label Studio JSON file, a task a video.

    Interpolated boxes are left to Label Studio where it gives the same; others are keyframes. A
    keyframe is not ``enabled`` if the next frame has no box.

    Args:
        videos (Sequence[AnnotatedVideo]): The videos.
        losses (LossReport): Counter of information that the format cannot hold.
        fps (float): Frames a second.
    """
    tasks = []
    for task_id, video in enumerate(videos, 1):
        stem = file_stem(video, losses)
        count_frame_losses(video, losses, True, [f'{stem}/{i:06d}.jpg' for i in range(len(video.frames))])
        result = []
        for number, track in enumerate(without_ignored(video, losses), 1):
            sequence = [item for run in runs_of(track.boxes) for item in _sequence(run, video, fps, losses)]
            length = len(video.frames)
            value = dict(framesCount=length, duration=length / fps, sequence=sequence, labels=[track.label])
            names = dict(id=f'track{number}', from_name='box', to_name='video', origin='manual')
            result.append(dict(type='videorectangle', value=value, **names))
        annotation = dict(result=result, was_cancelled=False)
        tasks.append(dict(id=task_id, data=dict(video=f'{stem}.mp4'), annotations=[annotation]))
    return {'': json.dumps(tasks).encode() + b'\n'}


def _sequence(run: list[TrackBox], video: AnnotatedVideo, fps: float, losses: LossReport) -> list[dict]:
    """Return the keyframes of the boxes of frames that follow one another."""
    width, height = video.frames[0].width, video.frames[0].height
    items = []
    for box in _keyframes(run):
        if box.occluded:
            losses.add('flags occluded', f'{video.name}, frame_id {box.frame}')
        if not box.keyframe:
            losses.add('boxes between keyframes became keyframes', f'{video.name}, frame_id {box.frame}')
        x1, y1, x2, y2 = box.box
        percents = dict(x=x1 / width, y=y1 / height, width=(x2 - x1) / width, height=(y2 - y1) / height)
        enabled = box is not run[-1] or box.frame == len(video.frames) - 1
        item = dict(frame=int(box.frame) + 1, enabled=enabled, rotation=0, time=(box.frame + 1) / fps)
        items.append(item | {key: 100 * value for key, value in percents.items()})
    return items


def _keyframes(run: list[TrackBox]) -> list[TrackBox]:
    """Return the boxes between which interpolation gives the others; all if it does not."""
    kept = [box for i, box in enumerate(run) if not box.interpolated or i in (0, len(run) - 1)]
    filled = fill_track(kept, int(run[-1].frame) + 1)
    same = all(abs(a - b) <= _TOLERANCE for box, other in zip(run, filled) for a, b in zip(box.box, other.box))
    return kept if same else run
