# Copyright (c) mmrdn contributors. All rights reserved.
"""Mean average precision of the ImageNet VID protocol, in plain numpy.

The protocol of ILSVRC VID, with the motion groups of the tables in the RDN paper ("Relation
Distillation Networks for Video Object Detection", ICCV 2019, section 4).

Legend of shapes: F frames, D detections, G ground-truth boxes and R motion ranges of the whole data
set.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmrdn.evaluation.functional.matching import check_labels, check_lengths, flatten_frames, match_boxes
from mmrdn.evaluation.functional.precision_recall import curve_of
from mmrdn.structures import FrameAnnotations, FrameDetections


def vid_map(
    detections: Sequence[FrameDetections | dict],
    annotations: Sequence[FrameAnnotations | dict],
    num_classes: int,
    motion_ranges: dict[str, tuple[float, float]] | None = None,
    iou_thr: float = 0.5,
    pixel_tolerance: float = 10,
) -> dict:
    """Average precision per class, overall and per motion group.

    Boxes are inclusive pixels (width = x2 - x1 + 1). Within a frame, detections are visited by
    descending score (of equal scores the lower index first). Each takes the ground truth of its
    class with the largest IoU among those not taken yet whose own threshold it reaches,
    ``min(iou_thr, w * h / ((w + pixel_tolerance) * (h + pixel_tolerance)))``.

    In a motion group, ground truth outside it is ignored, and a match to it counts as neither true
    nor false positive. An unmatched detection is compared through its largest IoU, over any class,
    with ground truth in the group and with ignored ground truth (-1 where there is no such box): it
    is a false positive if the former is larger, nothing if it is smaller, and otherwise weighs the
    share of ignored boxes in its frame, or, in a frame without ground truth, the share of all boxes
    of the data set that are in the group, where each such frame counts as a box of motion IoU 0, as
    in FGFA's code: for a group from 0 on (n_group + n_empty) / (n + n_empty), else n_group / (n + n_empty).

    Args:
        detections (Sequence[FrameDetections | dict]): Per frame ``bboxes`` (n, 4), xyxy in pixels, ``scores`` (n,),
            any finite numbers, and ``labels`` (n,), 0 to ``num_classes - 1``.
        annotations (Sequence[FrameAnnotations | dict]): Per frame ``bboxes`` (m, 4), ``labels`` (m,) and, if
            ``motion_ranges`` is given, ``motion_ious`` (m,).
        num_classes (int): Number of classes.
        motion_ranges (dict[str, tuple[float, float]], optional): Range of motion IoU of each group,
            closed on both ends.
        iou_thr (float): Largest IoU that a match may need.
        pixel_tolerance (float): Pixels by which a box may be off in each direction, which lowers
            the threshold of small boxes.

    Returns:
        dict: ``mAP50`` (float), the mean of ``ap`` over the classes with
        ground truth, NaN if there is none; ``ap`` (num_classes,), NaN for classes without ground
        truth; ``num_gt`` (num_classes,). For each motion group the same as ``mAP50_<name>``,
        ``ap_<name>`` and ``num_gt_<name>``.

    Raises:
        ValueError: An argument, or a field of a frame, is missing, has the wrong shape or holds
            values that are not allowed.
    """
    _check_settings(num_classes, motion_ranges, iou_thr, pixel_tolerance)
    ranges = dict(motion_ranges or {})
    check_lengths(detections, annotations)
    detections = FrameDetections.of_all(detections, 'detections')
    annotations = FrameAnnotations.of_all(annotations, 'annotations')
    for i, frame in enumerate(annotations):
        if ranges and frame.motion_ious is None:
            raise ValueError(f"annotations[{i}]: must have the field 'motion_ious'")
    dets = flatten_frames(detections, ['bboxes', 'labels', 'scores'])
    gts = flatten_frames(annotations, ['bboxes', 'labels'] + ['motion_ious'] * bool(ranges))
    check_labels(dets, detections, 'detections', num_classes)
    check_labels(gts, annotations, 'annotations', num_classes)

    # (R, G)
    in_group = np.array(
        [(gts['motion_ious'] >= low) & (gts['motion_ious'] <= high) for low, high in ranges.values()], dtype=bool
    ).reshape(len(ranges), len(gts['labels']))
    order = np.argsort(-dets['scores'], kind='stable')
    empty_weights = _empty_frame_weights(in_group, gts, ranges)
    matches, group_weights = match_boxes(dets, gts, iou_thr, pixel_tolerance, in_group, empty_weights)

    # Stable: score order is kept within a class.
    order = order[np.argsort(dets['labels'][order], kind='stable')]
    by_class = np.split(order, np.searchsorted(dets['labels'][order], np.arange(1, num_classes)))
    is_matched = matches >= 0
    everything = np.ones(len(gts['labels']), dtype=bool)
    groups = [('', everything, np.ones(len(matches)))]
    groups += [(f'_{name}', inside, weights) for name, inside, weights in zip(ranges, in_group, group_weights)]
    result: dict[str, Any] = dict()
    for suffix, inside, weights in groups:
        # A match of -1 reads the appended False.
        true_pos = np.append(inside, False)[matches].astype(np.float64)
        false_pos = np.where(is_matched, 0.0, weights)
        num_gt = np.bincount(gts['labels'][inside], minlength=num_classes)
        ap = np.array(
            [
                curve_of(dets['scores'][inds], true_pos[inds], false_pos[inds], count).average_precision
                for inds, count in zip(by_class, num_gt)
            ]
        )
        has_gt = num_gt > 0
        result[f'mAP50{suffix}'] = float(ap[has_gt].mean()) if has_gt.any() else float('nan')
        result[f'ap{suffix}'] = ap
        result[f'num_gt{suffix}'] = num_gt
    return result


def _empty_frame_weights(in_group: np.ndarray, gts: dict, ranges: dict[str, tuple[float, float]]) -> np.ndarray:
    """Return the weight of a false positive in a frame without ground truth, (R,) of each motion group."""
    num_empty = np.count_nonzero(np.diff(gts['starts']) == 0)
    holds_zero = np.array([low <= 0 <= high for low, high in ranges.values()], dtype=bool)
    return (in_group.sum(axis=1) + num_empty * holds_zero) / max(in_group.shape[1] + num_empty, 1)


def _check_settings(num_classes: int, motion_ranges: dict | None, iou_thr: float, pixel_tolerance: float) -> None:
    """Check the arguments of :func:`vid_map` other than boxes."""
    if int(num_classes) != num_classes or num_classes < 1:
        raise ValueError(f'num_classes must be an integer of at least 1, got {num_classes}')
    if not 0 < iou_thr <= 1:
        raise ValueError(f'iou_thr must be in (0, 1], got {iou_thr}')
    if not 0 <= pixel_tolerance < float('inf'):
        raise ValueError(f'pixel_tolerance must be a finite number of pixels, at least 0, got {pixel_tolerance}')
    for name, limits in (motion_ranges or {}).items():
        if len(limits) != 2 or not limits[0] <= limits[1]:
            raise ValueError(f"motion_ranges['{name}'] must be (low, high) with low <= high, got {limits}")
