# Copyright (c) mmrdn contributors. All rights reserved.
"""Matching of detections and ground truth by the ImageNet VID protocol, in plain numpy.

Legend of shapes: F frames, D detections, G ground-truth boxes and R motion ranges of the whole data
set; P pairs of a detection and a ground-truth box of the same frame.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.structures.frame_boxes import FrameBoxes, concatenate
from mmrdn.utils.boxes import paired_ious

# Bounds the memory: pairs whose IoU is held at the same time.
MAX_PAIRS = 1 << 20


def match_frames(
    detections: Sequence[FrameDetections | dict],
    annotations: Sequence[FrameAnnotations | dict],
    num_classes: int,
    iou_thr: float,
    pixel_tolerance: float,
) -> tuple[dict, dict, np.ndarray]:
    """Match detections to ground truth of their class; frames that were not annotated are left out.

    Args:
        detections (Sequence[FrameDetections | dict]): Detections of F frames.
        annotations (Sequence[FrameAnnotations | dict]): Ground truth of the same frames.
        num_classes (int): Number of classes.
        iou_thr (float): See :func:`mmrdn.evaluation.vid_map`.
        pixel_tolerance (float): See :func:`mmrdn.evaluation.vid_map`.

    Returns:
        tuple[dict, dict, np.ndarray]: Flat detections and ground truth, see :func:`flatten_frames`,
        and the index of the matched ground truth (D,), -1 for none.

    Raises:
        ValueError: The frames do not fit together, or a label is no class.
    """
    check_lengths(detections, annotations)
    pairs = zip(FrameDetections.of_all(detections, 'detections'), FrameAnnotations.of_all(annotations, 'annotations'))
    known = [(found, truth) for found, truth in pairs if not truth.is_left_out]
    found, truth = [found for found, _ in known], [truth for _, truth in known]
    dets = flatten_frames(found, ['bboxes', 'labels', 'scores'])
    gts = flatten_frames(truth, ['bboxes', 'labels'])
    check_labels(dets, found, 'detections', num_classes)
    check_labels(gts, truth, 'annotations', num_classes)
    return dets, gts, match_boxes(dets, gts, iou_thr, pixel_tolerance)[0]


def match_boxes(
    dets: dict,
    gts: dict,
    iou_thr: float,
    pixel_tolerance: float,
    in_group: np.ndarray | None = None,
    empty_weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Match detections to ground truth and weigh the unmatched.

    Args:
        dets (dict): Flat detections, see :func:`flatten_frames`.
        gts (dict): Flat ground truth.
        iou_thr (float): See :func:`mmrdn.evaluation.vid_map`.
        pixel_tolerance (float): See :func:`mmrdn.evaluation.vid_map`.
        in_group (np.ndarray, optional): (R, G) whether a box is in a motion group.
        empty_weights (np.ndarray, optional): (R,) weight in frames without ground truth.

    Returns:
        tuple[np.ndarray, np.ndarray]: Index of the matched ground truth (D,), -1 for none, and the
        weight (R, D) that a detection has as a false positive of a group, should it be unmatched.
    """
    if in_group is None or empty_weights is None:
        in_group, empty_weights = np.zeros((0, len(gts['labels'])), dtype=bool), np.zeros(0)
    order = np.argsort(-dets['scores'], kind='stable')
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


def flatten_frames(frames: Sequence[FrameBoxes], fields: Sequence[str]) -> dict:
    """Concatenate the frames.

    Args:
        frames (Sequence[FrameBoxes]): F frames.
        fields (Sequence[str]): Names of their arrays.

    Returns:
        dict: Arrays of all N boxes, and ``starts`` (F + 1,), where each frame's boxes begin.
    """
    starts = np.cumsum([0] + [len(frame) for frame in frames])
    return dict({field: concatenate(frames, field) for field in fields}, starts=starts)


def check_lengths(detections: Sequence, annotations: Sequence) -> None:
    """Refuse detections and annotations that are not of as many frames."""
    if len(detections) != len(annotations):
        raise ValueError(
            'detections and annotations must have one entry per frame each, '
            f'got {len(detections)} and {len(annotations)}'
        )


def check_labels(flat: dict, frames: Sequence[FrameBoxes], name: str, num_classes: int) -> None:
    """Refuse labels without a class, naming their frame."""
    wrong = np.flatnonzero((flat['labels'] < 0) | (flat['labels'] >= num_classes))
    if len(wrong):
        i = int(np.searchsorted(flat['starts'], wrong[0], 'right')) - 1
        expected = f'labels must be integers from 0 to {num_classes - 1}, got {flat["labels"][wrong[0]]}'
        raise ValueError(f'{name}[{i}]: {frames[i].error(expected)}')
