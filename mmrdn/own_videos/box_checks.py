# Copyright (c) mmrdn contributors. All rights reserved.
"""Checks of boxes, tracks and frames in the columns of a COCO-VID file."""

import numpy as np

from mmrdn.own_videos.coco_vid_tables import CocoVidTables
from mmrdn.own_videos.findings import DROP
from mmrdn.utils.text import shown

_CUT = 1.0  # pixels that a box may reach beyond its image: tools round
# A jump: the center moves by more than these many sides of the box in a frame, and by a part of the
# image, while the boxes do not touch; or the area grows or shrinks by a factor.
_JUMP_SIDES, _JUMP_IMAGE, _GROWTH = 3.0, 0.1, 16.0


def check_content(tables: CocoVidTables) -> None:
    """Add problems of frames, file names, boxes, tracks and classes to the findings."""
    check_frames(tables)
    check_boxes(tables)
    check_tracks(tables)
    check_use(tables)


def check_frames(tables: CocoVidTables) -> None:
    """Frames of a video must be numbered 0, 1, 2 ..., each once; no two share a file."""
    images, findings = tables.images, tables.findings
    order = np.lexsort((images.frame_ids, images.video))
    video, frame_ids = images.video[order], images.frame_ids[order]
    starts = np.flatnonzero(np.diff(video, prepend=-1))
    expected = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    same = np.diff(video, prepend=-1) == 0
    step = np.diff(frame_ids, prepend=0)
    twice, gap = same & (step == 0), np.where(same, step > 1, frame_ids != 0)
    for i in np.flatnonzero(twice | gap).tolist():
        row, name = int(order[i]), shown(tables.videos.ids[video[i]])
        found = f'{frame_ids[i]} of video {name} '
        if twice[i]:
            found += 'is there twice'
        elif same[i]:
            found += f'follows on {frame_ids[i - 1]}'
        else:
            found += 'is its first, expected 0'
        findings.add(
            'frame-ids',
            'frame_id',
            found,
            **images.at(row),
            repair=DROP if twice[i] else dict(frame_id=int(expected[i])),
        )
    seen: dict[str | None, int] = {}
    for row, file_name in enumerate(images.names):
        first = seen.setdefault(file_name, row)
        if first != row:
            text = f"'{shown(file_name)}' is that of {images.part}[{images.index[first]}] too"
            findings.add('duplicate-file', 'file_name', text, **images.at(row))


def check_boxes(tables: CocoVidTables) -> None:
    """Boxes must be a pixel wide and high and reach into their image; those at its edge are cut."""
    boxes, findings = tables.boxes, tables.findings
    x, y, width, height = boxes.bboxes.T
    sizes = tables.images.sizes[boxes.image].astype(float)
    sizes[sizes == 0] = np.inf
    degenerate = (width < 1) | (height < 1)
    outside = ~degenerate & ((x >= sizes[:, 0]) | (y >= sizes[:, 1]) | (x + width <= 0) | (y + height <= 0))
    beyond = np.max([-x, -y, x + width - sizes[:, 0], y + height - sizes[:, 1]], axis=0)
    cut = ~degenerate & ~outside & (beyond > _CUT)
    for row in np.flatnonzero(degenerate).tolist():
        text = f'{boxes.bboxes[row].tolist()} is {width[row]:g} wide and {height[row]:g} high'
        findings.add('degenerate-box', 'bbox', text, **boxes.at(row), repair=DROP)
    for row in np.flatnonzero(outside).tolist():
        text = f'{boxes.bboxes[row].tolist()} is outside of its image of {_size(sizes[row])}'
        findings.add('box-outside', 'bbox', text, **boxes.at(row), repair=DROP)
    for row in np.flatnonzero(cut).tolist():
        text = f'{boxes.bboxes[row].tolist()} reaches {beyond[row]:g} pixels beyond its image of {_size(sizes[row])}'
        low = np.maximum(boxes.bboxes[row, :2], 0)
        high = np.minimum(boxes.bboxes[row, :2] + boxes.bboxes[row, 2:], sizes[row])
        new = [*low.tolist(), *(high - low).tolist()]
        findings.add('box-cut', 'bbox', text, **boxes.at(row), repair=dict(bbox=new, area=new[2] * new[3]))
    keys = (boxes.image, boxes.category, boxes.track, x, y, width, height)
    order = np.lexsort(keys)
    same = np.ones(max(len(order) - 1, 0), bool)
    for key in keys:
        same &= np.diff(key[order]) == 0
    repeated = order[1:][same]
    for row in np.sort(repeated).tolist():
        findings.add(
            'duplicate-box', 'bbox', f'{boxes.bboxes[row].tolist()} is there twice', **boxes.at(row), repair=DROP
        )


def _size(size: np.ndarray) -> str:
    return 'x'.join(f'{side:g}' for side in size)


def check_tracks(tables: CocoVidTables) -> None:
    """An instance has one class, one box a frame, and does not jump."""
    boxes, images, findings = tables.boxes, tables.images, tables.findings
    stays = ~np.isin(boxes.index, findings.dropped('annotations'))  # each fault is found once
    stays &= ~np.isin(images.index, findings.dropped('images'))[boxes.image]
    rows = np.flatnonzero((boxes.track >= 0) & stays)
    frame_ids = images.frame_ids[boxes.image[rows]]
    rows = rows[np.lexsort((frame_ids, boxes.track[rows]))]
    frame_ids, track = images.frame_ids[boxes.image[rows]], boxes.track[rows]
    same = np.diff(track) == 0
    step = np.diff(frame_ids)
    twice = same & (step == 0)
    for i in (np.flatnonzero(twice) + 1).tolist():
        row = int(rows[i])
        text = f'{_instance(tables, row)} has two boxes in frame {frame_ids[i]}'
        findings.add('two-boxes', 'instance_id', text, **boxes.at(row), repair=dict(instance_id=None))
    category = boxes.category[rows]
    for i in (np.flatnonzero(same & (np.diff(category) != 0)) + 1).tolist():
        row, names = int(rows[i]), [tables.categories.label(category[k]) for k in (i - 1, i)]
        text = (
            f'{_instance(tables, row)} was {names[0]} in frame {frame_ids[i - 1]} and is {names[1]} in {frame_ids[i]}'
        )
        findings.add('class-change', 'category_id', text, **boxes.at(row))
    for i in np.flatnonzero(same & (step > 0) & _jumps(tables, rows, step)).tolist():
        row, before = int(rows[i + 1]), int(rows[i])
        text = f'{_instance(tables, row)} was at {boxes.bboxes[before].tolist()} in frame {frame_ids[i]}'
        text += f' and is at {boxes.bboxes[row].tolist()} in frame {frame_ids[i + 1]}'
        findings.add('jump', 'bbox', text, **boxes.at(row))


def _jumps(tables: CocoVidTables, rows: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return whether each box lies too far from the one before it in its track, (n - 1,) bool."""
    boxes = tables.boxes.bboxes[rows]
    sizes = np.maximum(boxes[:, 2:], 1)
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    moved = np.abs(np.diff(centers, axis=0))
    apart = (moved > (sizes[1:] + sizes[:-1]) / 2).any(axis=1)
    steps = np.maximum(step, 1)
    side = np.maximum(sizes.max(axis=1)[1:], sizes.max(axis=1)[:-1])
    diagonal = np.hypot(*tables.images.sizes[tables.boxes.image[rows[1:]]].T)
    distance = np.hypot(*moved.T)
    far = apart & (distance > _JUMP_SIDES * side * steps) & (distance > _JUMP_IMAGE * diagonal)
    areas = np.log(sizes.prod(axis=1))
    return far | (np.abs(np.diff(areas)) > np.log(_GROWTH) * steps)


def _instance(tables: CocoVidTables, row: int) -> str:
    video, instance = tables.boxes.tracks[tables.boxes.track[row]]
    return f'instance {shown(instance)} of video {shown(tables.videos.ids[video])}'


def check_use(tables: CocoVidTables) -> None:
    """Classes should have boxes, and videos frames."""
    num_boxes = np.bincount(tables.boxes.category, minlength=len(tables.categories))
    for row in np.flatnonzero(num_boxes == 0).tolist():
        text = f"'{tables.categories.label(row)}' has no box"
        tables.findings.add('no-boxes', 'name', text, **tables.categories.at(row))
    num_frames = np.bincount(tables.images.video, minlength=len(tables.videos))
    for row in np.flatnonzero(num_frames == 0).tolist():
        text = f"'{tables.videos.label(row)}' has no frame"
        tables.findings.add('no-frames', 'id', text, **tables.videos.at(row), repair=DROP)
