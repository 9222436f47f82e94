# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass

import numpy as np

from mmrdn.evaluation.functional import motion_iou
from mmrdn.own_videos.coco_vid_tables import CocoVidTables

# The borders of ImageNet VID's groups.
MOTION_BORDERS = (0.7, 0.9)
MOTION_NAMES = ('fast', 'medium', 'slow')


@dataclass(frozen=True, eq=False)
class DatasetStatistics:
    """Statistics of the boxes in a COCO-VID file that a training uses.

    Attributes:
        rows (np.ndarray): (n,) rows of the boxes that count.
        labels (np.ndarray): (n,) row of the category.
        sides (np.ndarray): (n, 2) width and height in pixels.
        image_sizes (np.ndarray): (n, 2) width and height of their images.
        motion_ious (np.ndarray): (n,) see :func:`mmrdn.evaluation.motion_iou`; NaN without a track.
        shifts (np.ndarray): (m,) how far the center of an instance moved in a frame from one box to the
            next, in sides of its box (root of the area).
        track_lengths (np.ndarray): (t,) frames of each track, from its first box to its last.
        video_lengths (np.ndarray): (v,) frames of each video that has some.
        table (list[tuple]): Class name, boxes, tracks and videos of each class.
    """

    rows: np.ndarray
    labels: np.ndarray
    sides: np.ndarray
    image_sizes: np.ndarray
    motion_ious: np.ndarray
    shifts: np.ndarray
    track_lengths: np.ndarray
    video_lengths: np.ndarray
    table: list[tuple[str, int, int, int]]

    def motion_shares(self) -> dict[str, float]:
        """Return the share of the boxes that are fast, medium and slow; 0 for all without tracks."""
        known = self.motion_ious[~np.isnan(self.motion_ious)]
        groups = np.bincount(np.digitize(known, MOTION_BORDERS), minlength=3) / max(len(known), 1)
        return dict(zip(MOTION_NAMES, groups.tolist()))


def statistics_of(tables: CocoVidTables) -> DatasetStatistics:
    """Return the statistics of a COCO-VID file."""
    boxes, images = tables.boxes, tables.images
    sizes = images.sizes[boxes.image]
    x, y, width, height = boxes.bboxes.T
    visible = (x < np.where(sizes[:, 0], sizes[:, 0], np.inf)) & (y < np.where(sizes[:, 1], sizes[:, 1], np.inf))
    rows = np.flatnonzero(visible & (x + width > 0) & (y + height > 0) & (width >= 1) & (height >= 1) & ~boxes.ignored)
    motion_ious, shifts, lengths = _motion(tables, rows)
    track, video, category = boxes.track[rows], images.video[boxes.image[rows]], boxes.category[rows]
    table = []
    for label in range(len(tables.categories)):
        of_class = category == label
        tracks = np.unique(track[of_class & (track >= 0)])
        counts = int(of_class.sum()), len(tracks), len(np.unique(video[of_class]))
        table.append((tables.categories.label(label), *counts))
    frames = np.bincount(images.video, minlength=1)
    return DatasetStatistics(
        rows, category, boxes.bboxes[rows, 2:], sizes[rows], motion_ious, shifts, lengths, frames[frames > 0], table
    )


def _motion(tables: CocoVidTables, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the motion IoU of each box (n,), how far centers move in a frame (m,), frames of tracks (t,)."""
    boxes = tables.boxes
    result = np.full(len(rows), np.nan)
    inds = np.flatnonzero(boxes.track[rows] >= 0)
    track, frame_ids = boxes.track[rows[inds]], tables.images.frame_ids[boxes.image[rows[inds]]]
    order = np.lexsort((frame_ids, track))
    inds, track, frame_ids = inds[order], track[order], frame_ids[order]
    once = np.ones(len(inds), bool)
    once[1:] = (np.diff(track) != 0) | (np.diff(frame_ids) != 0)
    inds, track, frame_ids = inds[once], track[once], frame_ids[once]
    bboxes = boxes.bboxes[rows[inds]]
    corners = np.column_stack([bboxes[:, :2], bboxes[:, :2] + bboxes[:, 2:]])
    starts = np.flatnonzero(np.diff(track)) + 1
    tracks = [
        dict(frame_ids=ids, bboxes=of_track)
        for ids, of_track in zip(np.split(frame_ids, starts), np.split(corners, starts))
        if len(ids)
    ]
    if tracks:
        result[inds] = np.concatenate(motion_iou(tracks))
    next_one = np.flatnonzero(np.diff(track) == 0)
    moved = np.hypot(*np.diff(bboxes[:, :2] + bboxes[:, 2:] / 2, axis=0)[next_one].T)
    sides = np.sqrt(bboxes[:, 2:].prod(axis=1))[next_one]
    lengths = frame_ids[np.append(starts, len(track)) - 1] - frame_ids[np.append(0, starts)] + 1 if tracks else starts
    return result, moved / sides / np.diff(frame_ids)[next_one], lengths
