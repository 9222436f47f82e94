# Copyright (c) mmrdn contributors. All rights reserved.
"""Boxes in the annotations of a COCO-VID file: xywh in pixels with w = x2 - x1."""

from collections.abc import Iterable, Sequence

from mmrdn.structures.frame_annotations import is_visible


def to_xyxy(box: Sequence[float]) -> list[float]:
    """Return the corners of a box of a file."""
    x, y, width, height = box
    return [x, y, x + width, y + height]


def box_fault(entry: dict, image: dict) -> str | None:
    """Return what keeps the box of an annotation from being ground truth, None if nothing does.

    Args:
        entry (dict): Annotation with a ``bbox``.
        image (dict): Image that it is of, with ``width`` and ``height`` as far as these are known.
    """
    area, sides = entry.get('area'), entry['bbox'][2:]
    if min(sides) < 0:
        return 'of negative size'
    if area is not None and (area < 0 or (area == 0 and 0 not in sides)):
        return 'whose area is 0 or less'
    if not is_visible(to_xyxy(entry['bbox']), image.get('width'), image.get('height')):
        return 'outside their image'
    return None


def faults_warning(faults: Iterable[tuple[int, str]]) -> str | None:
    """Return a line about faulty boxes, None if there are none.

    Args:
        faults (Iterable[tuple[int, str]]): Index of the annotation and fault of each.
    """
    found: dict[str, list[int]] = {}
    for index, fault in faults:
        found.setdefault(fault, []).append(index)
    if not found:
        return None
    kinds = [f'{len(inds)} {fault}, the first being annotations[{inds[0]}]' for fault, inds in found.items()]
    return f'{sum(map(len, found.values()))} boxes are left out: {"; ".join(kinds)}'
