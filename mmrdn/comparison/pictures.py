# Copyright (c) mmrdn contributors. All rights reserved.
"""What the demo shows: a video, and a sheet of frames where two differ."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.whole_file import whole_file
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.utils.boxes import paired_ious
from mmrdn.video import VideoWriter
from mmrdn.visualization import draw_boxes, put_label, titled_panels


def load_results(
    ann_file: str, image_root: Path, prediction_files: dict[str, str], score_thr: float = 0.5
) -> tuple[list[dict], list[str]]:
    """Ground truth and predictions of all frames, in order.

    Args:
        ann_file (str): COCO-VID JSON with the ground truth.
        image_root (Path): What its file names are relative to.
        prediction_files (dict[str, str]): For each detector what ``VIDMetric(outfile_prefix=...)``
            wrote.
        score_thr (float): Detections below are left out.

    Returns:
        tuple: For each frame its ``path``, ``video``, ``truth`` and, under
        ``found``, the confident detections of each detector; class names.

    Raises:
        ValueError: Predictions are of other images.
    """
    file = CocoVidFile(ann_file)
    classes = list(file.categories)
    truth = file.ground_truth(classes)
    predictions = {}
    for name, path in prediction_files.items():
        predictions[name] = CocoVidFile(path, annotations=('bbox', 'score')).predictions(classes)
        for key in truth:
            if key not in predictions[name]:
                raise ValueError(f'{path} has no image id {key}, expected those of {ann_file}')
    frames = []
    for image in file.data['images']:
        frames.append(
            dict(
                path=str(image_root / image['file_name']),
                video=image['video_id'],
                truth=truth[image['id']],
                found={
                    name: found[image['id']].select(found[image['id']].scores >= score_thr)
                    for name, found in predictions.items()
                },
            )
        )
    return frames, classes


def confident(detections: FrameDetections, threshold: float = 0.5) -> FrameDetections:
    """Return the detections worth drawing."""
    return detections.select(detections.scores >= threshold)


def count_right(detections: FrameDetections, truth: FrameAnnotations) -> int:
    """Objects found with the right class at IoU 0.5, less false alarms."""
    right, taken = 0, set()
    for i in np.argsort(-detections.scores):
        ious = paired_ious(detections.bboxes[i : i + 1], truth.bboxes)
        hits = np.flatnonzero((ious >= 0.5) & (truth.labels == detections.labels[i]))
        free = [j for j in hits.tolist() if j not in taken]
        taken.update(free[:1])
        right += 1 if free else -1
    return right


def read_picture(path: str) -> np.ndarray:
    """(H, W, 3) uint8 BGR.

    Raises:
        FileNotFoundError: There is none that can be read.
    """
    image = cv2.imread(path)
    if image is None:
        raise FileNotFoundError(f'{path} is no picture that can be read')
    return image


def draw_panels(frame: dict, classes: Sequence[str], scale: int = 3, truth: bool = True) -> np.ndarray:
    """What detectors found in a frame, side by side.

    Args:
        frame (dict): From :func:`load_results`.
        classes (Sequence[str]): Class names.
        scale (int): How many times larger the picture is drawn.
        truth (bool): Whether the first panel is the ground truth.

    Returns:
        np.ndarray: See :func:`mmrdn.visualization.titled_panels`.
    """
    image = read_picture(frame['path'])
    pictures, titles = [], list(frame['found'])
    if truth:
        titles.insert(0, 'ground truth')
        pictures.append(draw_boxes(image, frame['truth'].bboxes, frame['truth'].labels, classes, scale=scale))
    for found in frame['found'].values():
        pictures.append(draw_boxes(image, found.bboxes, found.labels, classes, found.scores, scale=scale))
    return titled_panels(pictures, titles)


def write_pictures(frames: list[dict], classes: Sequence[str], video: Path, sheet: Path) -> None:
    """Draw ground truth and two detectors side by side.

    Args:
        frames (list[dict]): From :func:`load_results`, of two detectors.
        classes (Sequence[str]): Class names.
        video (Path): Gets the first ten videos as they come.
        sheet (Path): Gets the frames with the largest differences, whichever detector is better, at
            most one a video and eight in all.
    """
    first, second = frames[0]['found']
    gains = [count_right(f['found'][second], f['truth']) - count_right(f['found'][first], f['truth']) for f in frames]
    shown = sorted({f['video'] for f in frames})[:10]
    with VideoWriter(video, overwrite=True, fps=6) as writer:
        for frame in frames:
            if frame['video'] in shown:
                writer.write(draw_panels(frame, classes))
    rows, seen = [], set()
    for i in sorted(range(len(frames)), key=lambda i: -abs(gains[i])):
        if gains[i] and frames[i]['video'] not in seen and len(rows) < 8:
            seen.add(frames[i]['video'])
            row = draw_panels(frames[i], classes, scale=2)
            better = second if gains[i] > 0 else first
            put_label(row, f'better: {better}', (row.shape[1], 0), (200, 200, 200))
            rows.append(row)
    if not rows:
        rows = [draw_panels(frames[0], classes, scale=2)]
    with whole_file(sheet) as file:
        file.write(cv2.imencode('.png', np.vstack(rows))[1])
