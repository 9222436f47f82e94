# Copyright (c) mmrdn contributors. All rights reserved.
"""An image of a track over time, before and after box linking."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.image_files import read_image
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.utils.boxes import paired_ious
from mmrdn.video import BaseWriter
from mmrdn.visualization import FrameDrawer, titled_panels

Track = list[tuple[int, int]]  # (image id, index of the box) in frame order
Frames = dict[int, FrameDetections]  # by image id


def browse_track(
    predictions: str,
    linked: str,
    ann_file: str,
    image_root: str,
    out: str,
    score_thr: float = 0.5,
    num_frames: int = 6,
    overwrite: bool = False,
) -> dict[str, float]:
    """Draw the track in which linking recovered the most right detections.

    Above, the detections shown at ``score_thr``; below, those shown after linking, at the threshold
    that shows as many detections in all. Frames without annotation are marked; no detection in
    them counts as right.

    Args:
        predictions (str): COCO-VID JSON of the detector.
        linked (str): The same after box linking.
        ann_file (str): COCO-VID JSON with the ground truth.
        image_root (str): Directory that its file names are relative to.
        out (str): The image, PNG or JPEG.
        score_thr (float): Threshold of the detector's scores.
        num_frames (int): Number of frames that are drawn, around the first recovered detection.
        overwrite (bool): Whether ``out`` may exist.

    Returns:
        dict[str, float]: ``video_id``, ``instance_id``, ``frames`` and ``recovered`` detections of
        the track, and ``linked_thr``.

    Raises:
        FileExistsError: ``out`` is there already.
        ValueError: The files do not fit together, or linking recovered no right detection.
    """
    BaseWriter.refuse_existing(out, overwrite)
    if Path(out).suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        raise ValueError(f'{out} must end in .png or .jpg')
    if num_frames < 1:
        raise ValueError(f'num_frames must be 1 or more, got {num_frames}')
    truth_file = CocoVidFile(ann_file, images=('file_name',))
    classes = list(truth_file.categories)
    fields = dict(images=('video_id', 'frame_id'), annotations=('bbox', 'score'))
    files = [CocoVidFile(path, **fields) for path in (predictions, linked)]
    before, after = (file.predictions(classes) for file in files)
    linked_thr = _linked_threshold(before, after, score_thr)
    if 'suppressed' in files[1].data:  # linking took boxes out
        before = {k: f.select(_kept(f, after[k])) for k, f in before.items() if k in after}
    if {k: len(f) for k, f in before.items()} != {k: len(f) for k, f in after.items()}:
        raise ValueError(f'{linked} must hold the boxes of {predictions}')
    truth, tracks = truth_file.ground_truth(classes), _tracks(after)
    for key in after:
        if key not in truth:
            raise ValueError(f'{linked}: image id {key} is not in {ann_file}')
    raised = {k: (before[k].scores < score_thr) & (after[k].scores >= linked_thr) for k in after}
    recovered = {
        key: [(k, i) for k, i in track if raised[k][i] and _is_right(after[k], i, truth[k])]
        for key, track in tracks.items()
    }
    best = max(recovered, key=lambda key: len(recovered[key]), default=None)
    if best is None or not recovered[best]:
        raise ValueError(f'{linked}: linking recovered no right detection at the threshold {score_thr}')
    track, (first, *_) = tracks[best], recovered[best]
    start = max(0, min(track.index(first) - num_frames // 2, len(track) - num_frames))
    shown = track[start : start + num_frames]
    paths = {image['id']: Path(image_root) / image['file_name'] for image in truth_file.data['images']}
    rows = [('detector', before, score_thr), ('linked', after, linked_thr)]
    unknown = {key for key, frame in truth.items() if frame.is_left_out}
    drawn = np.concatenate(
        [_draw_row(title, shown, frames, paths, thr, classes, unknown) for title, frames, thr in rows]
    )
    if not cv2.imwrite(str(out), drawn):
        raise OSError(f'{out} cannot be written')
    return dict(
        video_id=best[0], instance_id=best[1], frames=len(track), recovered=len(recovered[best]), linked_thr=linked_thr
    )


def _linked_threshold(before: Frames, after: Frames, score_thr: float) -> float:
    """Return the threshold after linking that shows as many detections."""
    scores = [np.sort(np.concatenate([f.scores for f in frames.values()]))[::-1] for frames in (before, after)]
    num = int((scores[0] >= score_thr).sum())
    return float(scores[1][:num].min(initial=np.inf))


def _kept(before: FrameDetections, after: FrameDetections) -> np.ndarray:
    """Return whether each box of a frame is there after linking, (n,) bool."""
    same = (before.bboxes[:, None] == after.bboxes).all(2) & (before.labels[:, None] == after.labels)  # (n, n')
    return same.any(1)


def _tracks(frames: Frames) -> dict[tuple, Track]:
    """Return the boxes of each track, by video and track id."""
    tracks: dict[tuple, Track] = defaultdict(list)
    for img_id, frame in sorted(frames.items(), key=lambda item: item[1].frame_id):
        for i, track_id in enumerate(frame.track_ids):
            if track_id >= 0:
                tracks[frame.video_id, int(track_id)].append((img_id, i))
    return tracks


def _is_right(frame: FrameDetections, i: int, truth: FrameAnnotations) -> bool:
    """Return whether a box has IoU 0.5 with an object of its class."""
    same = truth.bboxes[truth.labels == frame.labels[i]]
    return bool((paired_ious(frame.bboxes[i : i + 1], same) >= 0.5).any())


def _draw_row(
    title: str,
    track: Track,
    frames: Frames,
    paths: dict[int, Path],
    threshold: float,
    classes: list[str],
    unknown: set[int],
) -> np.ndarray:
    """Draw the boxes of a track in their frames, where their scores reach a threshold; mark frames without truth."""
    panels, titles = [], []
    for img_id, i in track:
        frame, image = frames[img_id], read_image(paths[img_id])
        box = replace(frame.select(np.arange(len(frame)) == i), track_ids=None)
        panels.append(FrameDrawer(classes, threshold, scale=max(1, 320 // image.shape[1])).draw(image, box))
        titles.append(f'{title}, frame {frame.frame_id}' + (', not annotated' if img_id in unknown else ''))
    return titled_panels(panels, titles)
