# Copyright (c) mmrdn contributors. All rights reserved.
"""Segmentations of COCO and YTVIS."""

import re
from typing import Any

from pycocotools import mask as coco_mask

from mmrdn.datasets.converters.annotated_video import Box, box_of_points
from mmrdn.fileio.fields import NUMBER, SIZE

_MAX_PIXELS = 2**27


def box_of_segmentation(segmentation: Any, where: str) -> Box | None:
    """Return the box around polygons or a run-length mask, None if there is nothing.

    Args:
        segmentation (Any): Polygons ``[[x, y, x, y, ...], ...]``, or a mask
            ``dict(size=[height, width], counts=...)``.
        where (str): File and entry, for messages.

    Raises:
        ValueError: It is neither.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _box_of_mask(segmentation, where)
    if not isinstance(segmentation, list) or not all(_is_polygon(polygon) for polygon in segmentation):
        raise ValueError(f'{where}: segmentation must be polygons [x, y, x, y, ...] or a mask of size and counts')
    return box_of_points([point for polygon in segmentation for point in zip(polygon[::2], polygon[1::2])])


def _is_polygon(polygon: Any) -> bool:
    return (
        isinstance(polygon, list)
        and len(polygon) >= 2
        and len(polygon) % 2 == 0
        and all(NUMBER.holds(value) for value in polygon)
    )


def _box_of_mask(mask: dict, where: str) -> Box | None:
    size, counts = mask.get('size'), mask.get('counts')
    if not (isinstance(size, list) and len(size) == 2 and all(SIZE.holds(side) for side in size)):
        raise ValueError(f'{where}: segmentation.size must be [height, width]')
    if size[0] * size[1] > _MAX_PIXELS:
        raise ValueError(f'{where}: segmentation.size claims more than {_MAX_PIXELS} pixels')
    try:
        if isinstance(counts, list):
            if sum(counts) != size[0] * size[1] or min(counts, default=0) < 0:
                raise ValueError
            mask = coco_mask.frPyObjects(dict(size=size, counts=counts), *size)
        else:
            if not re.fullmatch('[0-o]+', counts) or ord(counts[-1]) - 48 & 32:  # cut: it would be read past
                raise ValueError
            mask = dict(size=size, counts=counts.encode())
        x, y, width, height = coco_mask.toBbox(mask).tolist()
    except (AttributeError, TypeError, ValueError, UnicodeError):
        raise ValueError(f'{where}: segmentation.counts is no run-length code of {size[0]} x {size[1]}') from None
    return (x, y, x + width, y + height) if width and height else None
