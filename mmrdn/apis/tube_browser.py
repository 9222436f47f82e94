# Copyright (c) mmrdn contributors. All rights reserved.
"""A tube over time, before and after box linking."""
import os
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mmrdn.evaluation.metrics.coco_vid import parse_frames, read_coco_vid
from mmrdn.visualization import draw_boxes, titled_panels

Tube = List[Tuple[int, int]]  # (image id, index of the box) in frame order


def browse_tube(predictions: str,
                linked: str,
                ann_file: str,
                image_root: str,
                out: str,
                score_thr: float = 0.5,
                num_frames: int = 6,
                overwrite: bool = False) -> Dict[str, float]:
    """Draw the tube in which linking recovered the most right detections.

    Above, what the detector shows at ``score_thr``; below, what is shown after
    linking, at the threshold that shows as many detections in all.

    Args:
        predictions (str): COCO-VID JSON of the detector.
        linked (str): The same after box linking.
        ann_file (str): COCO-VID JSON with the ground truth.
        image_root (str): What its file names are relative to.
        out (str): The picture, PNG or JPEG.
        score_thr (float): Of the detector's scores.
        num_frames (int): Frames of the tube that are drawn, around the first
            recovered detection.
        overwrite (bool): Whether ``out`` may exist.

    Returns:
        dict[str, float]: ``video_id``, ``instance_id``, ``frames`` and
        ``recovered`` detections of the tube, and ``linked_thr``.

    Raises:
        FileExistsError: ``out`` is there already.
        ValueError: The files do not fit together, or linking recovered no
            right detection.
    """
    if os.path.exists(out) and not overwrite:
        raise FileExistsError(f'{out} exists; choose another name or say '
                              '--overwrite')
    coco = read_coco_vid(ann_file)
    classes = [category['name'] for category in coco['categories']]
    truth = parse_frames(coco, ann_file, classes)
    before, after = (
        parse_frames(read_coco_vid(path), path, classes, with_scores=True)
        for path in (predictions, linked))
    if {
            k: len(f['scores'])
            for k, f in before.items()
    } != {
            k: len(f['scores'])
            for k, f in after.items()
    }:
        raise ValueError(f'{linked} must hold the boxes of {predictions}')
    linked_thr = _same_number(before, after, score_thr)
    tubes = _tubes(after)
    recovered = {
        key: [
            place for place in tube
            if before[place[0]]['scores'][place[1]] < score_thr
            and after[place[0]]['scores'][place[1]] >= linked_thr
            and _is_right(after[place[0]], place[1], truth[place[0]])
        ]
        for key, tube in tubes.items()
    }
    best = max(recovered, key=lambda key: len(recovered[key]), default=None)
    if best is None or not recovered[best]:
        raise ValueError(f'{linked}: linking recovered no right detection at '
                         f'the threshold {score_thr}')
    tube = tubes[best]
    first = tube.index(recovered[best][0])
    start = max(0, min(first - num_frames // 2, len(tube) - num_frames))
    files = {image['id']: image['file_name'] for image in coco['images']}
    rows = []
    for frames, threshold in ((before, score_thr), (after, linked_thr)):
        rows.append([
            _draw(
                Path(image_root) / files[img_id], frames[img_id], i, threshold,
                classes) for img_id, i in tube[start:start + num_frames]
        ])
    picture = np.concatenate([
        titled_panels(row, [
            f'{title}, frame {before[i]["frame_id"]}'
            for i, _ in tube[start:start + num_frames]
        ]) for row, title in zip(rows, ('detector', 'linked'))
    ])
    if not cv2.imwrite(str(out), picture):
        raise OSError(f'{out} cannot be written')
    return dict(
        video_id=best[0],
        instance_id=best[1],
        frames=len(tube),
        recovered=len(recovered[best]),
        linked_thr=linked_thr)


def _same_number(before: dict, after: dict, score_thr: float) -> float:
    """The threshold after linking that shows as many detections."""
    scores = [
        np.sort(np.concatenate([f['scores'] for f in frames.values()]))[::-1]
        for frames in (before, after)
    ]
    num = int((scores[0] >= score_thr).sum())
    return float(scores[1][num - 1]) if num else float('inf')


def _tubes(frames: dict) -> Dict[Tuple, Tube]:
    """By video and tube, the boxes in the order of their frames."""
    tubes: Dict[Tuple, Tube] = defaultdict(list)
    for img_id, frame in sorted(
            frames.items(), key=lambda item: item[1]['frame_id']):
        for i, instance in enumerate(frame['instance_ids']):
            if instance is not None:
                tubes[frame['video_id'], instance].append((img_id, i))
    return tubes


def _is_right(frame: dict, i: int, truth: dict) -> bool:
    """Whether a box has IoU 0.5 with an object of its class."""
    same = truth['bboxes'][truth['labels'] == frame['labels'][i]]
    if not len(same):
        return False
    boxes = [frame['bboxes'][i:i + 1], same]
    boxes = [np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], 1) for b in boxes]
    return coco_mask.iou(*boxes, [0] * len(same)).max() >= 0.5


def _draw(path: Path, frame: dict, i: int, threshold: float,
          classes: List[str]) -> np.ndarray:
    """One box of a tube, if its score reaches the threshold."""
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(f'{path} is no picture that can be read')
    shown = [i] if frame['scores'][i] >= threshold else []
    return draw_boxes(
        image,
        frame['bboxes'][shown],
        frame['labels'][shown],
        classes,
        frame['scores'][shown],
        scale=max(1, 320 // image.shape[1]))
