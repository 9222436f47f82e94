# Copyright (c) mmrdn contributors. All rights reserved.
import json
from collections.abc import Sequence

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.writers.runs import DIGITS, count_frame_losses


def ytvis_files(videos: Sequence[AnnotatedVideo], losses: LossReport, fps: float) -> dict[str, bytes]:
    """Return a YouTube-VIS JSON file, with the occlusion of OVIS and without masks.

    A track is ``iscrowd`` if all of its boxes are to be ignored; other tracks lose such boxes.

    Args:
        videos (Sequence[AnnotatedVideo]): The videos.
        losses (LossReport): Counter of information that the format cannot hold.
        fps (float): Frames a second, which the format does not have.
    """
    classes = list(dict.fromkeys(name for video in videos for name in video.classes))
    data: dict[str, list[dict]] = dict(
        categories=[dict(id=i, name=name) for i, name in enumerate(classes, 1)], videos=[], annotations=[]
    )
    for video_id, video in enumerate(videos, 1):
        count_frame_losses(video, losses, True)
        names = [frame.file_name for frame in video.frames]
        size = dict(width=video.frames[0].width, height=video.frames[0].height)
        data['videos'].append(dict(id=video_id, name=video.name, length=len(names), file_names=names, **size))
        for track in video.tracks:
            annotation = _annotation(track, video, losses)
            number = dict(id=len(data['annotations']) + 1, video_id=video_id)
            data['annotations'].append(number | dict(category_id=classes.index(track.label) + 1) | size | annotation)
    return {'': json.dumps(data).encode() + b'\n'}


def _annotation(track: Track, video: AnnotatedVideo, losses: LossReport) -> dict:
    crowd = all(box.ignore for box in track.boxes)
    by_frame: list[TrackBox | None] = [None] * len(video.frames)
    for box in track.boxes:
        where = f'{video.name}, frame_id {box.frame}'
        if box.ignore and not crowd:
            losses.add('regions to ignore were left out', where)
            continue
        if box.interpolated or not box.keyframe:
            losses.add('flags keyframe and interpolated', where)
        by_frame[int(box.frame)] = box
    found: dict[str, list] = dict(bboxes=[], areas=[], occlusion=[])
    for box in by_frame:
        x1, y1, x2, y2 = box.box if box else (0, 0, 0, 0)
        xywh = [round(value, DIGITS) for value in (x1, y1, x2 - x1, y2 - y1)]
        found['bboxes'].append(xywh if box else None)
        found['areas'].append(round(xywh[2] * xywh[3], DIGITS) if box else None)
        found['occlusion'].append(('slight_occlusion' if box.occluded else 'no_occlusion') if box else None)
    return dict(iscrowd=int(crowd), length=len(video.frames), **found)
