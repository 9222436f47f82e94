# Copyright (c) mmrdn contributors. All rights reserved.
"""A tube over time, before and after box linking."""

import os
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.utils.boxes import paired_ious
from mmrdn.visualization import draw_boxes, titled_panels

Tube = list[tuple[int, int]]  # (image id, index of the box) in frame order


def browse_tube(
    predictions: str,
    linked: str,
    ann_file: str,
    image_root: str,
    out: str,
    score_thr: float = 0.5,
    num_frames: int = 6,
    overwrite: bool = False,
) -> dict[str, float]:
    """Draw the tube in which linking recovered the most right detections.

    Above, what the detector shows at ``score_thr``; below, what is shown after linking, at the
    threshold that shows as many detections in all.

    Args:
        predictions (str): COCO-VID JSON of the detector.
        linked (str): The same after box linking.
        ann_file (str): COCO-VID JSON with the ground truth.
        image_root (str): What its file names are relative to.
        out (str): The picture, PNG or JPEG.
        score_thr (float): Of the detector's scores.
        num_frames (int): Frames of the tube that are drawn, around the first recovered detection.
        overwrite (bool): Whether ``out`` may exist.

    Returns:
        dict[str, float]: ``video_id``, ``instance_id``, ``frames`` and
        ``recovered`` detections of the tube, and ``linked_thr``.

    Raises:
        FileExistsError: ``out`` is there already.
        ValueError: The files do not fit together, or linking recovered no right detection.
    """
    if os.path.exists(out) and not overwrite:
        raise FileExistsError(f'{out} exists; choose another name or say --overwrite')
    if Path(out).suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        raise ValueError(f'{out} must end in .png or .jpg')
    if num_frames < 1:
        raise ValueError(f'num_frames must be 1 or more, got {num_frames}')
    file = CocoVidFile(ann_file)
    classes = list(file.categories)
    truth = file.ground_truth(classes)
    before, after = (
        CocoVidFile(path, annotations=('bbox', 'score')).predictions(classes) for path in (predictions, linked)
    )
    if {k: len(f) for k, f in before.items()} != {k: len(f) for k, f in after.items()}:
        raise ValueError(f'{linked} must hold the boxes of {predictions}')
    linked_thr = _same_number(before, after, score_thr)
    tubes = _tubes(after)

    def is_recovered(img_id: int, i: int) -> bool:
        return (
            before[img_id].scores[i] < score_thr
            and after[img_id].scores[i] >= linked_thr
            and _is_right(after[img_id], i, truth[img_id])
        )

    recovered = {key: [place for place in tube if is_recovered(*place)] for key, tube in tubes.items()}
    best = max(recovered, key=lambda key: len(recovered[key]), default=None)
    if best is None or not recovered[best]:
        raise ValueError(f'{linked}: linking recovered no right detection at the threshold {score_thr}')
    tube = tubes[best]
    first = tube.index(recovered[best][0])
    start = max(0, min(first - num_frames // 2, len(tube) - num_frames))
    paths = {image['id']: Path(image_root) / image['file_name'] for image in file.data['images']}
    picture = np.concatenate(
        [
            _draw_row(title, tube[start : start + num_frames], frames, paths, threshold, classes)
            for title, frames, threshold in (('detector', before, score_thr), ('linked', after, linked_thr))
        ]
    )
    if not cv2.imwrite(str(out), picture):
        raise OSError(f'{out} cannot be written')
    return dict(
        video_id=best[0], instance_id=best[1], frames=len(tube), recovered=len(recovered[best]), linked_thr=linked_thr
    )


def _same_number(before: dict, after: dict, score_thr: float) -> float:
    """The threshold after linking that shows as many detections."""
    scores = [np.sort(np.concatenate([f.scores for f in frames.values()]))[::-1] for frames in (before, after)]
    num = int((scores[0] >= score_thr).sum())
    return float(scores[1][num - 1]) if num else float('inf')


def _tubes(frames: dict) -> dict[tuple, Tube]:
    """By video and tube, the boxes in the order of their frames."""
    tubes: dict[tuple, Tube] = defaultdict(list)
    for img_id, frame in sorted(frames.items(), key=lambda item: item[1].frame_id):
        for i, instance in enumerate(frame.track_ids):
            if instance >= 0:
                tubes[frame.video_id, int(instance)].append((img_id, i))
    return tubes


def _is_right(frame: FrameDetections, i: int, truth: FrameAnnotations) -> bool:
    """Whether a box has IoU 0.5 with an object of its class."""
    same = truth.bboxes[truth.labels == frame.labels[i]]
    return bool((paired_ious(frame.bboxes[i : i + 1], same) >= 0.5).any())


def _draw_row(title: str, tube: Tube, frames: dict, paths: dict, threshold: float, classes: list[str]) -> np.ndarray:
    """A tube's boxes in their frames, where their scores reach a threshold."""
    panels, titles = [], []
    for img_id, i in tube:
        frame, image = frames[img_id], cv2.imread(str(paths[img_id]))
        if image is None:
            raise FileNotFoundError(f'{paths[img_id]} is no picture that can be read')
        shown = [i] if frame.scores[i] >= threshold else []
        panels.append(
            draw_boxes(
                image,
                frame.bboxes[shown],
                frame.labels[shown],
                classes,
                frame.scores[shown],
                scale=max(1, 320 // image.shape[1]),
            )
        )
        titles.append(f'{title}, frame {frame.frame_id}')
    return titled_panels(panels, titles)
