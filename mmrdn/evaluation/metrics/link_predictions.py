# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking of predictions in a file, without the model."""
import json
import os
from collections import defaultdict
from typing import Any, Dict, Iterator, List, Tuple

from scipy.sparse import csr_array

from mmrdn.post_processing import BaseBoxLinker
from .coco_vid import parse_frames, read_coco_vid, require


def link_predictions(predictions: str,
                     out: str,
                     linker: BaseBoxLinker,
                     overwrite: bool = False) -> int:
    """Link the boxes of each video, write them with their new scores.

    Relation weights are those that ``VIDMetric(outfile_prefix=...)`` has
    written if the model noted them (``NextFrameRelations``).

    Args:
        predictions (str): COCO-VID JSON with a ``score`` per annotation.
        out (str): Where to write the same with new ``score``; boxes of tubes
            get an ``instance_id``.
        linker (BaseBoxLinker): How.
        overwrite (bool): Whether ``out`` may exist.

    Returns:
        int: Number of videos.

    Raises:
        ValueError: The file is malformed, or was linked already.
        FileExistsError: ``out`` is there already.
    """
    if os.path.exists(out) and not overwrite:
        raise FileExistsError(f'{out} exists; choose another name or say '
                              '--overwrite')
    coco = read_coco_vid(predictions)
    info = coco.get('info')
    info = dict(info) if isinstance(info, dict) else dict()
    if 'linker' in info:
        raise ValueError(f"{predictions} holds scores that {info['linker']} "
                         'has linked already, expected those of the detector')
    classes = [category['name'] for category in coco['categories']]
    frames = parse_frames(coco, predictions, classes, with_scores=True)
    relations = _read_relations(coco, predictions)
    videos: Dict[Any, List[dict]] = defaultdict(list)
    for img_id, frame in frames.items():
        require(frame, ('video_id', 'frame_id'),
                f'{predictions}: image {img_id}')
        videos[frame['video_id']].append(frame)
    for of_video in videos.values():
        of_video.sort(key=lambda frame: frame['frame_id'])
        pairs = zip(of_video, of_video[1:])
        linked = linker.trace(of_video, [
            relations.get((frame['img_id'], following['img_id']))
            for frame, following in pairs
        ])
        for frame, scores, ids in zip(of_video, linked.scores, linked.ids):
            frame.update(scores=scores, instance_ids=ids)
    for ann, (img_id, i) in zip(coco['annotations'], _places(coco)):
        ann.pop('relations', None)
        ann['score'] = frames[img_id]['scores'][i].item()
        if frames[img_id]['instance_ids'][i] >= 0:
            ann['instance_id'] = frames[img_id]['instance_ids'][i].item()
    coco['info'] = dict(info, linker=type(linker).__name__)
    partial = f'{out}.{os.getpid()}.tmp'
    try:
        with open(partial, 'w', encoding='utf-8') as file:
            json.dump(coco, file, allow_nan=False)
        os.replace(partial, out)
    finally:
        if os.path.exists(partial):
            os.remove(partial)
    return len(videos)


def _places(coco: dict) -> Iterator[Tuple[Any, int]]:
    """For each annotation its image and its place among those of it."""
    counts: Dict[Any, int] = defaultdict(int)
    for ann in coco['annotations']:
        yield ann['image_id'], counts[ann['image_id']]
        counts[ann['image_id']] += 1


def _read_relations(coco: dict, path: str) -> Dict[Tuple, csr_array]:
    """Relation weights (n, n') between the boxes of pairs of images."""
    places = list(_places(coco))
    by_id = {
        ann.get('id'): place
        for ann, place in zip(coco['annotations'], places)
    }
    nums: Dict[Any, int] = defaultdict(int)
    for img_id, _ in places:
        nums[img_id] += 1
    entries: Dict[Tuple, List] = defaultdict(list)
    for number, (ann, (img_id,
                       i)) in enumerate(zip(coco['annotations'], places)):
        for pair in ann.get('relations') or []:
            if (not isinstance(pair, list) or len(pair) != 2
                    or pair[0] not in by_id
                    or not isinstance(pair[1], (int, float))):
                raise ValueError(
                    f"{path}: annotations[{number}]: 'relations' must be "
                    f'pairs of an annotation id and a weight, got {pair}')
            following, j = by_id[pair[0]]
            entries[img_id, following].append((i, j, pair[1]))
    relations = dict()
    for (img_id, following), found in entries.items():
        i, j, weights = zip(*found)
        relations[img_id, following] = csr_array(
            (weights, (i, j)), shape=(nums[img_id], nums[following]))
    return relations
