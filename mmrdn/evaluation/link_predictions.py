# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking of predictions in a file, without the model."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from mmrdn.fileio.coco_vid import parse_frames, read_coco_vid, require
from mmrdn.fileio.predictions import read_relations
from mmrdn.fileio.whole_file import whole_file
from mmrdn.post_processing import BaseBoxLinker


def link_predictions(predictions: str, linker: BaseBoxLinker, out: str | None = None, overwrite: bool = False) -> Path:
    """Link the boxes of each video, write them with their new scores.

    Relation weights are those that ``VIDMetric(outfile_prefix=...)`` has written if the model noted
    them (``NextFrameRelations``). A file that was linked already is linked anew, from the
    detector's scores.

    Args:
        predictions (str): COCO-VID JSON with a ``score`` per annotation.
        linker (BaseBoxLinker): How.
        out (str, optional): Where to write the same with new ``score``, the former
            ``unlinked_score`` and, in tubes, ``instance_id``; ``NAME.linked.json`` for
            ``NAME.json`` if not given.
        overwrite (bool): Whether ``out`` may exist.

    Returns:
        Path: ``out``.

    Raises:
        ValueError: The file is malformed; names file and field.
        FileExistsError: ``out`` is there already.
    """
    path = Path(predictions)
    target = Path(out) if out else path.with_name(f'{path.stem}.linked.json')
    if target.is_dir() or (target.exists() and not overwrite):
        raise FileExistsError(f'{target} exists; choose another name or say --overwrite')
    coco = read_coco_vid(predictions)
    for ann in coco['annotations']:
        ann.pop('instance_id', None)
        ann['score'] = ann.pop('unlinked_score', ann.get('score'))
    frames = _link(coco, predictions, linker)
    counts: dict[Any, int] = defaultdict(int)
    for ann in coco['annotations']:
        frame, i = frames[ann['image_id']], counts[ann['image_id']]
        counts[ann['image_id']] += 1
        ann.update(score=frame['scores'][i].item(), unlinked_score=ann['score'])
        if frame['instance_ids'][i] >= 0:
            ann['instance_id'] = frame['instance_ids'][i].item()
    coco['info'] = dict(coco.get('info') or {}, linker=type(linker).__name__)
    with whole_file(target) as file:
        file.write(json.dumps(coco, allow_nan=False).encode())
    return target


def _link(coco: dict, path: str, linker: BaseBoxLinker) -> dict[Any, dict]:
    """By image id the frames, with new ``scores`` and ``instance_ids``."""
    classes = [category['name'] for category in coco['categories']]
    frames = parse_frames(coco, path, classes, with_scores=True)
    relations = read_relations(coco, path)
    videos: dict[Any, list[dict]] = defaultdict(list)
    for img_id, frame in frames.items():
        require(frame, ('video_id', 'frame_id'), f'{path}: image {img_id}')
        videos[frame['video_id']].append(frame)
    for video_id, video in videos.items():
        video.sort(key=lambda frame: frame['frame_id'])
        for frame, following in zip(video, video[1:]):
            if following['frame_id'] != frame['frame_id'] + 1:
                raise ValueError(
                    f'{path}: video {video_id}: frame {following["frame_id"]} '
                    f'comes after frame {frame["frame_id"]}, expected all '
                    'frames of a video, each once'
                )
        try:
            linked = linker.trace(
                video,
                [relations.get((frame['img_id'], following['img_id'])) for frame, following in zip(video, video[1:])],
            )
        except ValueError as error:
            raise ValueError(f'{path}: video {video_id}: {error}') from None
        for frame, scores, ids in zip(video, linked.scores, linked.ids):
            frame.update(scores=scores, instance_ids=ids)
    return frames
