# Copyright (c) mmrdn contributors. All rights reserved.
"""Mean average precision of the ImageNet VID protocol, in plain numpy.

The protocol of ILSVRC VID, with the motion groups of the tables in the RDN paper ("Relation
Distillation Networks for Video Object Detection", ICCV 2019, section 4).

Legend of shapes: F frames, D detections, G ground-truth boxes and R motion ranges of the whole data
set; P pairs of a detection and a ground-truth box of the same frame.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.structures.frame_boxes import FrameBoxes, concatenate
from mmrdn.utils.boxes import paired_ious

# Bounds the memory: pairs whose IoU is held at the same time.
MAX_PAIRS = 1 << 20


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
    if len(detections) != len(annotations):
        raise ValueError(
            'detections and annotations must have one entry per frame each, '
            f'got {len(detections)} and {len(annotations)}'
        )
    detections = FrameDetections.of_all(detections, 'detections')
    annotations = FrameAnnotations.of_all(annotations, 'annotations')
    for i, frame in enumerate(annotations):
        if ranges and frame.motion_ious is None:
            raise ValueError(f"annotations[{i}]: must have the field 'motion_ious'")
    dets = _flatten(detections, ['bboxes', 'labels', 'scores'])
    gts = _flatten(annotations, ['bboxes', 'labels'] + ['motion_ious'] * bool(ranges))
    _check_labels(dets, detections, 'detections', num_classes)
    _check_labels(gts, annotations, 'annotations', num_classes)

    # (R, G)
    in_group = np.array(
        [(gts['motion_ious'] >= low) & (gts['motion_ious'] <= high) for low, high in ranges.values()], dtype=bool
    ).reshape(len(ranges), len(gts['labels']))
    order = np.argsort(-dets['scores'], kind='stable')
    empty_weights = _empty_frame_weights(in_group, gts, ranges)
    matches, group_weights = _match(dets, gts, order, in_group, empty_weights, iou_thr, pixel_tolerance)

    # Stable: score order is kept within a class.
    order = order[np.argsort(dets['labels'][order], kind='stable')]
    bounds = np.searchsorted(dets['labels'][order], np.arange(num_classes + 1))
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
                _average_precision(true_pos[order[start:end]], false_pos[order[start:end]], count)
                for start, end, count in zip(bounds[:-1], bounds[1:], num_gt)
            ]
        )
        has_gt = num_gt > 0
        result[f'mAP50{suffix}'] = float(ap[has_gt].mean()) if has_gt.any() else float('nan')
        result[f'ap{suffix}'] = ap
        result[f'num_gt{suffix}'] = num_gt
    return result


def _average_precision(true_pos: np.ndarray, false_pos: np.ndarray, num_gt: int) -> float:
    """Area under the interpolated precision-recall curve of one class.

    Args:
        true_pos (np.ndarray): (n,), 1 for a true positive, by descending score.
        false_pos (np.ndarray): (n,), weight as a false positive.
        num_gt (int): Number of ground-truth boxes.

    Returns:
        float: The area, NaN without ground truth.
    """
    if num_gt == 0:
        return float('nan')
    true_pos = np.cumsum(true_pos)
    seen = true_pos + np.cumsum(false_pos)
    precision = np.divide(true_pos, seen, out=np.zeros_like(seen), where=seen > 0)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.diff(true_pos / num_gt, prepend=0.0) @ envelope)


def _empty_frame_weights(in_group: np.ndarray, gts: dict, ranges: dict[str, tuple[float, float]]) -> np.ndarray:
    """Return the weight of a false positive in a frame without ground truth, (R,) of each motion group."""
    num_empty = np.count_nonzero(np.diff(gts['starts']) == 0)
    holds_zero = np.array([low <= 0 <= high for low, high in ranges.values()], dtype=bool)
    return (in_group.sum(axis=1) + num_empty * holds_zero) / max(in_group.shape[1] + num_empty, 1)


def _match(
    dets: dict,
    gts: dict,
    order: np.ndarray,
    in_group: np.ndarray,
    empty_weights: np.ndarray,
    iou_thr: float,
    pixel_tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Match detections to ground truth and weigh the unmatched.

    Args:
        dets (dict): Flat detections, see :func:`_flatten`.
        gts (dict): Flat ground truth.
        order (np.ndarray): (D,) detections by descending score.
        in_group (np.ndarray): (R, G) whether a box is in a motion group.
        empty_weights (np.ndarray): (R,) weight in frames without ground truth.
        iou_thr (float): See :func:`vid_map`.
        pixel_tolerance (float): See :func:`vid_map`.

    Returns:
        tuple[np.ndarray, np.ndarray]: Index of the matched ground truth (D,), -1 for none, and the
        weight (R, D) that a detection has as a false positive of a group, should it be unmatched.
    """
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    width, height = (gts['bboxes'][:, 2:] - gts['bboxes'][:, :2] + 1).T
    thrs = np.minimum(iou_thr, width * height / ((width + pixel_tolerance) * (height + pixel_tolerance)))
    matches = np.full(len(order), -1, dtype=np.int64)
    # Detections in frames without ground truth keep this weight.
    weights = np.repeat(empty_weights[:, None], len(order), axis=1)

    for det_inds, gt_inds, starts in _frame_pairs(dets, gts):
        ious = paired_ious(dets['bboxes'][det_inds], gts['bboxes'][gt_inds], pixel_offset=1)
        is_candidate = (dets['labels'][det_inds] == gts['labels'][gt_inds]) & (ious >= thrs[gt_inds])
        _take_greedily(det_inds[is_candidate], gt_inds[is_candidate], ious[is_candidate], rank, matches)
        first = det_inds[starts]
        sizes = np.diff(starts, append=len(det_inds))
        for inside, weight in zip(in_group, weights):
            mask = inside[gt_inds]
            best_inside = np.maximum.reduceat(np.where(mask, ious, -1), starts)
            best_ignored = np.maximum.reduceat(np.where(mask, -1, ious), starts)
            num_ignored = sizes - np.add.reduceat(mask, starts, dtype=np.int64)
            weight[first] = np.where(best_inside == best_ignored, num_ignored / sizes, best_inside > best_ignored)
    return matches, weights


def _take_greedily(
    det_inds: np.ndarray, gt_inds: np.ndarray, ious: np.ndarray, rank: np.ndarray, matches: np.ndarray
) -> None:
    """Visit the candidate pairs in the order of the protocol.

    Pairs of one detection lie together, largest IoU first, so the first free ground truth is the
    one that the detection takes.

    Args:
        det_inds (np.ndarray): (n,) detection of each candidate pair.
        gt_inds (np.ndarray): (n,) ground truth of each candidate pair.
        ious (np.ndarray): (n,) IoU of each candidate pair.
        rank (np.ndarray): (D,) rank of a detection in the score order.
        matches (np.ndarray): (D,) matched ground truth, written in place.
    """
    order = np.lexsort((gt_inds, -ious, rank[det_inds]))
    done, taken = set(), set()
    for det, gt in zip(det_inds[order].tolist(), gt_inds[order].tolist()):
        if det not in done and gt not in taken:
            done.add(det)
            taken.add(gt)
            matches[det] = gt


def _frame_pairs(dets: dict, gts: dict) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All pairs of detection and ground truth of a frame, a chunk at a time.

    Args:
        dets (dict): Flat detections.
        gts (dict): Flat ground truth.

    Yields:
        tuple[np.ndarray, np.ndarray, np.ndarray]: Detection (P,) and ground
        truth (P,) of each pair, ordered by both, and the first pair of each detection that has one.
        A frame is never split over two chunks.
    """
    num_dets, num_gts = np.diff(dets['starts']), np.diff(gts['starts'])
    total = np.concatenate(([0], np.cumsum(num_dets * num_gts)))
    frame = 0
    while frame < len(num_dets):
        end = np.searchsorted(total, total[frame] + MAX_PAIRS, 'right') - 1
        end = max(int(end), frame + 1)
        pairs_per_det = np.repeat(num_gts[frame:end], num_dets[frame:end])
        first_gt = np.repeat(gts['starts'][frame:end], num_dets[frame:end])
        det_inds = np.arange(dets['starts'][frame], dets['starts'][end])
        keep = pairs_per_det > 0
        pairs_per_det, first_gt = pairs_per_det[keep], first_gt[keep]
        frame = end
        if len(pairs_per_det):
            starts = np.cumsum(pairs_per_det) - pairs_per_det
            gt_inds = np.arange(pairs_per_det.sum())
            gt_inds += np.repeat(first_gt - starts, pairs_per_det)
            yield np.repeat(det_inds[keep], pairs_per_det), gt_inds, starts


def _flatten(frames: Sequence[FrameBoxes], fields: Sequence[str]) -> dict:
    """Concatenate the frames.

    Args:
        frames (Sequence[FrameBoxes]): F frames.
        fields (Sequence[str]): Names of their arrays.

    Returns:
        dict: Arrays of all N boxes, and ``starts`` (F + 1,), where each frame's boxes begin.
    """
    starts = np.cumsum([0] + [len(frame) for frame in frames])
    return dict({field: concatenate(frames, field) for field in fields}, starts=starts)


def _check_labels(flat: dict, frames: Sequence[FrameBoxes], name: str, num_classes: int) -> None:
    """Refuse labels without a class, naming their frame."""
    wrong = np.flatnonzero((flat['labels'] < 0) | (flat['labels'] >= num_classes))
    if len(wrong):
        i = int(np.searchsorted(flat['starts'], wrong[0], 'right')) - 1
        expected = f'labels must be integers from 0 to {num_classes - 1}, got {flat["labels"][wrong[0]]}'
        raise ValueError(f'{name}[{i}]: {frames[i].error(expected)}')


def _check_settings(num_classes: int, motion_ranges: dict | None, iou_thr: float, pixel_tolerance: float) -> None:
    """Check the arguments of :func:`vid_map` that are no boxes."""
    if int(num_classes) != num_classes or num_classes < 1:
        raise ValueError(f'num_classes must be an integer of at least 1, got {num_classes}')
    if not 0 < iou_thr <= 1:
        raise ValueError(f'iou_thr must be in (0, 1], got {iou_thr}')
    if not 0 <= pixel_tolerance < float('inf'):
        raise ValueError(f'pixel_tolerance must be a finite number of pixels, at least 0, got {pixel_tolerance}')
    for name, limits in (motion_ranges or {}).items():
        if len(limits) != 2 or not limits[0] <= limits[1]:
            raise ValueError(f"motion_ranges['{name}'] must be (low, high) with low <= high, got {limits}")
