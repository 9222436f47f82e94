# Copyright (c) mmrdn contributors. All rights reserved.
"""Writing predictions as COCO-VID JSON.

Annotations have ``bbox`` xywh in pixels with w = x2 - x1, and ``score``, with all digits. Linked boxes
also have ``unlinked_score``, the score of the detector, and ``instance_id``, the track.
``relations`` are weights of boxes of the next frame: ``[[annotation id, weight], ...]``. Boxes that
box linking took out are in ``suppressed`` instead of ``annotations``, with the same fields, so that
the file can be linked again.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmrdn.fileio.json_files import only_finite
from mmrdn.fileio.whole_file import whole_file
from mmrdn.structures import FrameDetections

# Numbers of numpy as plain ones, and no NaN.
_encode = json.JSONEncoder(allow_nan=False, default=lambda value: value.item()).encode


def numbered_path(prefix: str, kind: str, free: bool = False) -> Path:
    """Return ``PREFIX.KIND``; with ``free`` the first of it, ``PREFIX.2.KIND``, ... that is not there yet."""
    path, number = Path(f'{prefix}.{kind}'), 1
    while free and path.exists():
        number += 1
        path = Path(f'{prefix}.{number}.{kind}')
    return path


def predictions_path(prefix: str, free: bool = False) -> Path:
    """Return the name of a file of predictions; with ``free`` the first one that is not there yet."""
    return numbered_path(prefix, 'predictions.json', free)


def prediction_head(
    frames: Sequence[FrameDetections], classes: Sequence[str], coco: dict | None = None, info: dict | None = None
) -> dict:
    """Return all of the file but the annotations.

    Args:
        frames (Sequence[FrameDetections]): All frames.
        classes (Sequence[str]): Class names in the order of the labels.
        coco (dict, optional): Ground truth, whose images, videos and categories are taken over.
        info (dict, optional): Additions to ``info``.

    Returns:
        dict: ``info``, ``videos``, ``images`` and ``categories``.
    """
    if coco is None:
        keys = ('video_id', 'frame_id', 'file_name', 'width', 'height')
        images = [dict({key: getattr(frame, key) for key in keys}, id=frame.img_id) for frame in frames]
        videos = [dict(id=i, name=str(i)) for i in dict.fromkeys(frame.video_id for frame in frames)]
        categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
    else:
        images, videos = coco['images'], coco.get('videos') or []
        by_name = {category['name']: category for category in coco['categories']}
        categories = [by_name[name] for name in classes]
    info = dict(description='predictions of mmrdn') | (info or {})
    return dict(info=info, videos=videos, images=images, categories=categories)


def write_predictions(path: str | Path, head: dict, frames: Sequence[FrameDetections]) -> None:
    """Write a COCO-VID JSON of predictions, whole or not at all.

    Args:
        path (str or Path): Final name.
        head (dict): Everything but ``annotations``; the order of ``categories`` is that of the
            labels.
        frames (Sequence[FrameDetections]): Frames with ``img_id``; their ``relations`` are to the
            boxes of ``next_img_id``.
    """
    category_ids = [category['id'] for category in head['categories']]
    video_ids = {image['id']: image.get('video_id') for image in head['images']}
    nums = [len(frame.unlinked()) for frame in frames]
    first_ids = {frame.img_id: first + 1 for frame, first in zip(frames, np.cumsum([0] + nums).tolist())}
    suppressed = []
    with whole_file(path) as file:
        with io.TextIOWrapper(file, encoding='utf-8') as f:
            f.write(_encode(only_finite(head))[:-1] + ', "annotations": [')
            separator = '\n'
            for frame in frames:
                entries = _entries(frame.unlinked(), first_ids, category_ids, video_ids[frame.img_id])
                if frame.detected is not None:
                    entries, gone = linked_entries(frame, entries)
                    suppressed += gone
                for entry in entries:
                    f.write(separator + _encode(entry))
                    separator = ',\n'
            f.write('\n]')
            if suppressed:
                f.write(', "suppressed": ' + _encode(suppressed))
            f.write('}\n')


def _entries(
    frame: FrameDetections, first_ids: dict[Any, int], category_ids: Sequence[Any], video_id: Any
) -> list[dict[str, Any]]:
    """Return an annotation of each box."""
    relations = _relations(frame, first_ids)
    entries = []
    for i, (box, score, label, track) in enumerate(frame):
        entry = dict(id=first_ids[frame.img_id] + i, category_id=category_ids[label], **_to_xywh(box), score=score)
        entry.update(image_id=frame.img_id, video_id=video_id, iscrowd=0)
        if track is not None:
            entry['instance_id'] = track
        if relations is not None:
            entry['relations'] = relations[i]
        entries.append(entry)
    return entries


def linked_entries(frame: FrameDetections, entries: Sequence[dict]) -> tuple[list[dict], list[dict]]:
    """Return the annotations of a frame with the results of box linking, and those that it took out.

    Args:
        frame (FrameDetections): The frame after linking.
        entries (Sequence[dict]): Annotation of each box of ``frame.detected``.
    """
    found = dict(zip(frame.detected_inds.tolist(), frame))
    linked = []
    for i, (_, score, _, track) in found.items():
        entry = dict(entries[i], score=score, unlinked_score=entries[i]['score'])
        entry.pop('instance_id', None)
        linked.append(entry if track is None else dict(entry, instance_id=track))
    return linked, [entry for i, entry in enumerate(entries) if i not in found]


def _to_xywh(box: Sequence[float]) -> dict[str, Any]:
    """Return box and area; Python floats keep all digits of float32 and float64."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    return dict(bbox=[x1, y1, width, height], area=width * height)


def _relations(frame: FrameDetections, first_ids: dict[Any, int]) -> list[list[list]] | None:
    """Return for each box the annotations of the next frame that it relates to."""
    relations = frame.relations
    if relations is None or frame.next_img_id not in first_ids:
        return None
    first = first_ids[frame.next_img_id]
    return [
        [
            [first + j, weight]
            for j, weight in zip(relations.indices[start:stop].tolist(), relations.data[start:stop].tolist())
        ]
        for start, stop in zip(relations.indptr, relations.indptr[1:])
    ]
