# Copyright (c) mmrdn contributors. All rights reserved.
"""Motion IoU: how much an object's box overlaps itself in nearby frames.

The slow / medium / fast groups of ImageNet VID results follow from it (Zhu et al., "Flow-Guided
Feature Aggregation for Video Object Detection", ICCV 2017, section 5.1). Plain numpy.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from mmrdn.structures import FrameAnnotations
from mmrdn.utils.boxes import paired_ious

Track = dict | np.ndarray


@overload
def motion_iou(tracks: Mapping[Hashable, Track], window: int = 10) -> dict[Hashable, np.ndarray]: ...
@overload
def motion_iou(tracks: Sequence[Track], window: int = 10) -> list[np.ndarray]: ...
def motion_iou(
    tracks: Sequence[Track] | Mapping[Hashable, Track], window: int = 10
) -> list[np.ndarray] | dict[Hashable, np.ndarray]:
    """Mean IoU of each box with the same instance's boxes nearby in time.

    A box is compared with every box of its track that lies at most ``window`` frames before or
    after it, itself excluded. Frames where the instance is absent don't count. A box without any
    such neighbor gets 1, as no motion was seen.

    Args:
        tracks (Sequence | Mapping): One track per instance, each a dict of ``frame_ids`` (n,),
            integers in any order, and ``bboxes`` (n, 4), xyxy in pixels; or an array (n, 4) of
            the boxes of consecutive frames.
        window (int): Frames to look at in each direction.

    Returns:
        list[np.ndarray] | dict[Any, np.ndarray]: Motion IoUs (n,) of each
        track, in the order of its boxes; a dict with the same keys if ``tracks`` is a mapping.

    Raises:
        ValueError: A track is malformed or has two boxes in one frame.
    """
    if int(window) != window or window < 1:
        raise ValueError(f'window must be an integer of at least 1 frame, got {window}')
    if isinstance(tracks, Mapping):
        return dict(zip(tracks, motion_iou(list(tracks.values()), window)))
    parsed = [_parse_track(track, i) for i, track in enumerate(tracks)]
    if not parsed:
        return []
    sizes = [len(frame_ids) for frame_ids, _ in parsed]
    frame_ids = np.concatenate([frame_ids for frame_ids, _ in parsed])
    bboxes = np.concatenate([bboxes for _, bboxes in parsed])
    owners = np.repeat(np.arange(len(sizes)), sizes)

    order = np.lexsort((frame_ids, owners))
    frame_ids, bboxes, owners = frame_ids[order], bboxes[order], owners[order]
    twice = (np.diff(frame_ids) == 0) & (np.diff(owners) == 0)
    if twice.any():
        first = int(np.argmax(twice))
        raise ValueError(f'tracks[{owners[first]}] must have one box per frame, got two in frame {frame_ids[first]}')

    total, count = np.zeros(len(order)), np.zeros(len(order))
    # Frames of a track differ, so a neighbor is at most `window` boxes away.
    for shift in range(1, min(int(window), max(sizes) - 1) + 1):
        near = np.flatnonzero((owners[shift:] == owners[:-shift]) & (frame_ids[shift:] - frame_ids[:-shift] <= window))
        ious = paired_ious(bboxes[near], bboxes[near + shift], pixel_offset=1)
        for inds in (near, near + shift):
            # No index repeats within `inds`.
            total[inds] += ious
            count[inds] += 1
    result = np.empty(len(order))
    result[order] = np.divide(total, count, out=np.ones_like(total), where=count > 0)
    return np.split(result, np.cumsum(sizes)[:-1])


def knows_motion(frames: Collection[FrameAnnotations], window: int = 10) -> bool:
    """Return whether any instance has boxes in two frames near each other, so that its speed is known.

    Args:
        frames (Collection[FrameAnnotations]): Frames with ``video_id``, ``frame_id`` and
            ``instance_ids``.
        window (int): See :func:`motion_iou`.
    """
    seen: dict[Hashable, list[int]] = {}
    for frame in frames:
        for instance_id in frame.instance_ids or ():
            if instance_id is not None and frame.frame_id is not None:
                seen.setdefault((frame.video_id, instance_id), []).append(frame.frame_id)
    # Twice in a frame counts too: that is refused where motion IoUs are computed.
    return any(b - a <= window for ids in map(sorted, seen.values()) for a, b in zip(ids, ids[1:]))


def with_motion_ious(frames: Collection[FrameAnnotations], window: int = 10) -> list[FrameAnnotations]:
    """Return the annotated frames of any number of videos with their ``motion_ious``.

    Args:
        frames (Collection[FrameAnnotations]): Frames with ``video_id``, ``frame_id`` and
            ``instance_ids``, which are unique within a video; None is a separate instance.
        window (int): See :func:`motion_iou`.

    Raises:
        ValueError: An instance has two boxes in one frame.
    """
    tracks: dict[Hashable, dict] = dict()
    keys: list[tuple[Hashable, int]] = []  # of each box, with its index in its track
    for i, frame in enumerate(frames):
        for j, instance_id in enumerate(frame.instance_ids or [None] * len(frame)):
            key: tuple = (frame.video_id, instance_id) if instance_id is not None else (frame.video_id, None, i, j)
            track = tracks.setdefault(key, dict(frame_ids=[], bboxes=[]))
            if frame.frame_id in track['frame_ids'][-1:]:
                raise ValueError(
                    f'instance_id {instance_id} of video {frame.video_id} must have '
                    f'one box per frame, got two in frame {frame.frame_id}'
                )
            keys.append((key, len(track['frame_ids'])))
            track['frame_ids'].append(frame.frame_id)
            track['bboxes'].append(frame.bboxes[j])
    ious = motion_iou(dict(tracks), window)
    remaining = iter(keys)
    return [
        replace(frame, motion_ious=np.array([ious[key][k] for _, (key, k) in zip(range(len(frame)), remaining)]))
        for frame in frames
    ]


def _parse_track(track: Track, index: int) -> tuple:
    """Check one track.

    Args:
        track (dict | np.ndarray): See :func:`motion_iou`.
        index (int): Its index, for messages.

    Returns:
        tuple[np.ndarray, np.ndarray]: ``frame_ids`` (n,) in int64 and ``bboxes`` (n, 4) in float64.
    """
    name = f'tracks[{index}]'
    if isinstance(track, Mapping):
        for field in ('frame_ids', 'bboxes'):
            if field not in track:
                raise ValueError(f"{name} must have the field '{field}'")
        bboxes, frame_ids = track['bboxes'], np.asarray(track['frame_ids'])
    else:
        bboxes, frame_ids = track, np.arange(len(track))
    bboxes = np.asarray(bboxes, dtype=np.float64)
    bboxes = bboxes.reshape(0, 4) if bboxes.shape == (0,) else bboxes
    if bboxes.ndim != 2 or bboxes.shape[1] != 4:
        raise ValueError(f"{name}['bboxes'] must have the shape (n, 4), got {bboxes.shape}")
    if frame_ids.shape != bboxes.shape[:1]:
        raise ValueError(f"{name}['frame_ids'] must have the shape {bboxes.shape[:1]}, got {frame_ids.shape}")
    if not np.array_equal(frame_ids, frame_ids.astype(np.int64)):
        raise ValueError(f"{name}['frame_ids'] must be integers, got {frame_ids.tolist()}")
    if not np.isfinite(bboxes).all() or (bboxes[:, 2:] < bboxes[:, :2]).any():
        raise ValueError(f"{name}['bboxes'] must be finite xyxy with x2 >= x1 and y2 >= y1")
    return frame_ids.astype(np.int64), bboxes
