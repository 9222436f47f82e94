# Copyright (c) mmrdn contributors. All rights reserved.
"""COCO-VID JSON of predictions.

Annotations have ``bbox`` xywh in pixels with w = x2 - x1, and ``score``, with all digits. Of linked
boxes ``unlinked_score`` is the detector's own, and ``instance_id`` the tube. ``relations`` are
weights of boxes of the next frame: ``[[annotation id, weight], ...]``.
"""

import io
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from mmrdn.fileio.whole_file import whole_file

# Numbers of numpy as plain ones, and no NaN.
_encode = json.JSONEncoder(allow_nan=False, default=lambda value: value.item()).encode


def prediction_head(results: list[dict], classes: Sequence[str], coco: dict | None = None) -> dict:
    """All of the file but the annotations.

    Args:
        results (list[dict]): ``img_id``, ``video_id``, ``frame_id``, ``file_name``, ``width`` and
            ``height`` per frame.
        classes (Sequence[str]): Class names in the order of the labels.
        coco (dict, optional): The ground truth, whose images, videos and categories are taken over.

    Returns:
        dict: ``info``, ``videos``, ``images`` and ``categories``.
    """
    if coco is None:
        keys = ('video_id', 'frame_id', 'file_name', 'width', 'height')
        images = [dict({key: result[key] for key in keys}, id=result['img_id']) for result in results]
        video_ids = dict.fromkeys(image['video_id'] for image in images)
        videos = [dict(id=i, name=str(i)) for i in video_ids]
        categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
    else:
        images, videos = coco['images'], coco.get('videos', [])
        by_name = {c['name']: c for c in coco['categories']}
        categories = [by_name[name] for name in classes]
    return dict(info=dict(description='predictions of mmrdn'), videos=videos, images=images, categories=categories)


def write_predictions(path: str, head: dict, results: list[dict]) -> None:
    """Write a COCO-VID JSON of predictions, whole or not at all.

    Args:
        path (str): Final name.
        head (dict): Everything but ``annotations``; the order of ``categories`` is that of the
            labels.
        results (list[dict]): ``img_id``, ``bboxes`` (n, 4) xyxy, ``scores`` (n,) and ``labels``
            (n,) per frame; of linked boxes ``instance_ids`` (n,); where relations are known
            ``relations``, a sparse (n, n') array, and ``next_img_id`` of its n' boxes.
    """
    category_ids = [category['id'] for category in head['categories']]
    video_ids = {image['id']: image.get('video_id') for image in head['images']}
    nums = [len(result['scores']) for result in results]
    first_ids = {result['img_id']: first + 1 for result, first in zip(results, np.cumsum([0] + nums).tolist())}
    with whole_file(path) as file:
        with io.TextIOWrapper(file, encoding='utf-8') as f:
            f.write(_encode(head)[:-1] + ', "annotations": [')
            separator = '\n'
            for result in results:
                common = dict(image_id=result['img_id'], video_id=video_ids[result['img_id']], iscrowd=0)
                relations = _relations(result, first_ids)
                for i, label in enumerate(result['labels'].tolist()):
                    ann = dict(
                        id=first_ids[result['img_id']] + i,
                        category_id=category_ids[int(label)],
                        **_box(result, i),
                        **common,
                    )
                    if relations is not None:
                        ann['relations'] = relations[i]
                    f.write(separator + _encode(ann))
                    separator = ',\n'
            f.write('\n]}\n')


def _box(result: dict, i: int) -> dict:
    """Where a box is, how sure, and its tube if it has one.

    Python floats keep all digits of float32 and float64.
    """
    x1, y1, x2, y2 = result['bboxes'][i].tolist()
    width, height = x2 - x1, y2 - y1
    fields = dict(bbox=[x1, y1, width, height], area=width * height, score=result['scores'][i].item())
    if 'unlinked_scores' in result:
        fields['unlinked_score'] = result['unlinked_scores'][i].item()
    if 'instance_ids' in result and result['instance_ids'][i] >= 0:
        fields['instance_id'] = result['instance_ids'][i].item()
    return fields


def _relations(result: dict, first_ids: dict[Any, int]) -> list[list[list]] | None:
    """For each box the annotations of the next frame that it relates to."""
    relations: csr_array | None = result.get('relations')
    if relations is None or result['next_img_id'] not in first_ids:
        return None
    first = first_ids[result['next_img_id']]
    return [
        [
            [first + j, weight]
            for j, weight in zip(relations.indices[start:stop].tolist(), relations.data[start:stop].tolist())
        ]
        for start, stop in zip(relations.indptr, relations.indptr[1:])
    ]


def read_relations(coco: dict, path: str) -> dict[tuple, csr_array]:
    """The ``relations`` of a file of predictions.

    Args:
        coco (dict): What :func:`read_coco_vid` returns.
        path (str): Its path, for messages.

    Returns:
        dict[tuple, csr_array]: By pairs of image ids (n, n'), boxes in the
        order of the file.

    Raises:
        ValueError: A relation is no pair of an annotation and a weight.
    """
    nums: dict[Any, int] = defaultdict(int)
    places = []
    for ann in coco['annotations']:
        places.append((ann['image_id'], nums[ann['image_id']]))
        nums[ann['image_id']] += 1
    by_id = {ann['id']: place for ann, place in zip(coco['annotations'], places) if 'id' in ann}
    entries: dict[tuple, list] = defaultdict(list)
    for number, (ann, (img_id, i)) in enumerate(zip(coco['annotations'], places)):
        try:
            for other, weight in ann.get('relations') or ():
                following, j = by_id[other]
                entries[img_id, following].append((i, j, float(weight)))
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f"{path}: annotations[{number}]: 'relations' must be pairs of an annotation id and a weight"
            ) from None
    relations = dict()
    for (img_id, following), found in entries.items():
        i, j, weights = zip(*found)
        relations[img_id, following] = csr_array((weights, (i, j)), shape=(nums[img_id], nums[following]))
    return relations
