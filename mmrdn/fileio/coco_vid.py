# Copyright (c) mmrdn contributors. All rights reserved.
"""Reading COCO-VID JSON for evaluation.

Boxes in such files are xywh in pixels with w = x2 - x1; in frames they are xyxy.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.fileio import get_text
from mmengine.logging import MMLogger


def require(record: Any, fields: Sequence[str], place: str) -> None:
    """Check that a record has its fields.

    Args:
        record (Any): What should be a dict.
        fields (Sequence[str]): Fields that it needs.
        place (str): Where it is, for the message.

    Raises:
        ValueError: It is no dict, or a field is missing.
    """
    for field in fields:
        if not isinstance(record, dict) or record.get(field) is None:
            raise ValueError(f"{place} must have the field '{field}'")


def read_coco_vid(path: str) -> dict:
    """Read a COCO-VID JSON and check its outline.

    Args:
        path (str): Path, or an address that MMEngine can read.

    Returns:
        dict: Content with the lists ``images``, ``categories`` and
        ``annotations``.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f'holds {constant}, expected finite numbers')

    try:
        coco = json.loads(get_text(path), parse_constant=refuse)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist') from None
    except json.JSONDecodeError as e:
        raise ValueError(f'{path} is no complete JSON: {e}') from None
    except ValueError as e:
        raise ValueError(f'{path} {e}') from None
    needed = dict(images=['id'], categories=['id', 'name'], annotations=['image_id', 'category_id'])
    for field, keys in needed.items():
        require(coco, [field], path)
        if not isinstance(coco[field], list):
            raise ValueError(f"{path}: '{field}' must be a list, got {type(coco[field]).__name__}")
        for i, record in enumerate(coco[field]):
            require(record, keys, f'{path}: {field}[{i}]')
            _check_types(record, f'{path}: {field}[{i}]')
    return coco


def parse_frames(coco: dict, path: str, classes: Sequence[str], with_scores: bool = False) -> dict[Any, dict]:
    """Boxes of each frame of a COCO-VID JSON.

    Args:
        coco (dict): What :func:`read_coco_vid` returns.
        path (str): Its path, for messages.
        classes (Sequence[str]): Class names in the order of the labels. Annotations of other
            categories of the file are left out, with a warning.
        with_scores (bool): Whether these are predictions, which all count.

    Returns:
        dict[Any, dict]: By image id, ``img_id``, ``video_id`` and
        ``frame_id`` if given, ``bboxes`` (n, 4) xyxy, ``labels`` (n,), ``instance_ids`` (n,) and
        ``scores`` (n,) if ``with_scores``.
    """
    names = [category['name'] for category in coco['categories']]
    for name in classes:
        if name not in names:
            raise ValueError(f"{path} has no category '{name}', expected the classes of the data set, got {names}")
    unused = sorted(set(names) - set(classes))
    if unused:
        MMLogger.get_current_instance().warning(f'{path}: no class of the data set, left out: {unused}')
    labels = {
        category['id']: classes.index(category['name']) if category['name'] in classes else None
        for category in coco['categories']
    }
    frames = dict()
    for image in coco['images']:
        if image['id'] in frames:
            raise ValueError(f'{path}: image id {image["id"]} is there twice')
        frames[image['id']] = dict(
            {k: image[k] for k in ('video_id', 'frame_id') if k in image},
            img_id=image['id'],
            size=(image.get('width'), image.get('height')),
            bboxes=[],
            labels=[],
            instance_ids=[],
            scores=[],
        )
    for i, ann in enumerate(coco['annotations']):
        _add_annotation(ann, f'{path}: annotations[{i}]', frames, labels, with_scores)
    for frame in frames.values():
        frame['bboxes'] = np.array(frame['bboxes'], dtype=np.float64).reshape(-1, 4)
        frame['labels'] = np.array(frame['labels'], dtype=np.int64)
        frame['scores'] = np.array(frame['scores'], dtype=np.float64)
    return frames


def _add_annotation(
    ann: dict, place: str, frames: dict[Any, dict], labels: dict[Any, int | None], with_scores: bool
) -> None:
    """Add one annotation to its frame.

    Args:
        ann (dict): Annotation of a COCO-VID JSON.
        place (str): Where it is, for messages.
        frames (dict[Any, dict]): Frames by image id, written in place.
        labels (dict[Any, int | None]): Label of each category id, None for categories that are left
            out.
        with_scores (bool): Whether it is a prediction.

    Raises:
        ValueError: A field is missing or has an impossible value.
    """
    for field, known in (('image_id', frames), ('category_id', labels)):
        if ann[field] not in known:
            raise ValueError(f"{place}: {field} {ann[field]} is not in the file's list of them")
    frame, label = frames[ann['image_id']], labels[ann['category_id']]
    if with_scores:
        require(ann, ['bbox', 'score'], place)
        frame['scores'].append(ann['score'])
    elif label is None or ann.get('ignore') or ann.get('iscrowd') or (not ann.get('bbox')):
        return
    box = ann['bbox']
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise ValueError(f"{place}: 'bbox' must be four numbers, x, y, width and height, got {box}")
    x1, y1, width, height = box
    box = [x1, y1, x1 + width, y1 + height]
    has_area = ann.get('area') is None or ann['area'] > 0
    if with_scores or (has_area and _is_visible(box, *frame['size'])):
        frame['bboxes'].append(box)
        frame['labels'].append(label)
        frame['instance_ids'].append(ann.get('instance_id'))


def parse_instances(sample: dict) -> dict:
    """Ground truth of one sample, from ``instances`` of mmtrack's datasets.

    Args:
        sample (dict): With ``video_id``, ``frame_id``, ``width``, ``height`` and ``instances``,
            each with ``bbox`` xyxy, ``bbox_label``, ``instance_id`` and ``ignore_flag``.

    Returns:
        dict: ``video_id``, ``frame_id``, ``bboxes`` (n, 4), ``labels`` (n,)
        and ``instance_ids`` (n,), without those that are flagged or have no box.
    """
    place = f'instances of img_id {sample["img_id"]}'
    kept = []
    for instance in sample['instances']:
        if instance.get('ignore_flag') or instance.get('bbox') is None:
            continue
        require(instance, ['bbox_label'], place)
        if np.shape(instance['bbox']) != (4,):
            raise ValueError(f"{place}: 'bbox' must be four numbers, got {instance['bbox']}")
        if _is_visible(instance['bbox'], sample['width'], sample['height']):
            kept.append(instance)
    bboxes = np.array([instance['bbox'] for instance in kept], np.float64)
    return dict(
        video_id=sample['video_id'],
        frame_id=sample['frame_id'],
        bboxes=bboxes.reshape(-1, 4),
        labels=np.array([instance['bbox_label'] for instance in kept], int),
        instance_ids=[instance.get('instance_id') for instance in kept],
    )


def _is_visible(box: Sequence[float], width: float | None, height: float | None) -> bool:
    """Whether a box (xyxy) spans a pixel and reaches into the image."""
    x1, y1, x2, y2 = box
    if x2 - x1 < 1 or y2 - y1 < 1:
        return False
    return x2 > 0 and y2 > 0 and (width is None or x1 < width) and (height is None or y1 < height)


def _check_types(record: dict, place: str) -> None:
    """Check the plain fields of an image, category or annotation.

    Args:
        record (dict): Record of a COCO-VID JSON.
        place (str): Where it is, for the message.

    Raises:
        ValueError: A field is there with a value of another kind.
    """
    kinds = {
        'a number or a string': ((int, float, str), ('id', 'video_id', 'image_id', 'category_id', 'instance_id')),
        'a string': ((str,), ('name',)),
        'a whole number': ((int,), ('frame_id',)),
        'a number': ((int, float), ('width', 'height', 'area', 'score')),
    }
    for expected, (types, fields) in kinds.items():
        for field in fields:
            value = record.get(field)
            if value is not None and (isinstance(value, bool) or not isinstance(value, types)):
                raise ValueError(f"{place}: '{field}' must be {expected}, got {value}")


def _is_number(value: Any) -> bool:
    """Whether a value of a JSON is a number (true and false are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
