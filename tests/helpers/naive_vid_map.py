# Copyright (c) mmrdn contributors. All rights reserved.
"""The ImageNet VID metric again, one box at a time, and small data sets for it."""

import math
import random

import numpy as np

RANGES = dict(fast=(0, 0.7), medium=(0.7, 0.9), slow=(0.9, 1))


def frame(boxes, labels=None, scores=None, motion=None):
    labels = [0] * len(boxes) if labels is None else labels
    result = dict(bboxes=np.array(boxes, float).reshape(-1, 4), labels=np.array(labels, int))
    if scores is not None:
        result['scores'] = np.array(scores, float)
    if motion is not None:
        result['motion_ious'] = np.array(motion, float)
    return result


def loop_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    inter = width * height
    areas = [(x[2] - x[0] + 1) * (x[3] - x[1] + 1) for x in (a, b)]
    return inter / (areas[0] + areas[1] - inter)


def loop_weight(box, gts, in_group, data_share):
    """Weight of an unmatched detection as a false positive."""
    if not len(gts):
        return data_share
    inside, ignored = -1.0, -1.0
    for gt, flag in zip(gts, in_group):
        if flag:
            inside = max(inside, loop_iou(box, gt))
        else:
            ignored = max(ignored, loop_iou(box, gt))
    if inside > ignored:
        return 1.0
    if inside < ignored:
        return 0.0
    return sum(not flag for flag in in_group) / len(in_group)


def loop_ap(hits, num_gt):
    """hits: (true positive, false positive weight) by descending score."""
    points, tp, fp = [], 0.0, 0.0
    for hit, weight in hits:
        tp, fp = tp + hit, fp + weight
        if tp + fp > 0:
            points.append((tp / num_gt, tp / (tp + fp)))
    area, last = 0.0, 0.0
    for recall in sorted({recall for recall, _ in points}):
        best = max(p for r, p in points if r >= recall)
        area, last = area + (recall - last) * best, recall
    return area


def loop_ap_of_class(dets, anns, label, limits, iou_thr, tolerance):
    flags = [
        [limits is None or limits[0] <= m <= limits[1] for m in ann.get('motion_ious', [0] * len(ann['labels']))]
        for ann in anns
    ]
    motions = []  # of all boxes, and a zero for each frame without any
    for ann in anns:
        motions += [float(m) for m in ann.get('motion_ious', [0] * len(ann['labels']))] or [0.0]
    inside = [limits is None or limits[0] <= m <= limits[1] for m in motions]
    share = sum(inside) / len(inside) if inside else 0.0
    hits, num_gt = [], 0
    for det, ann, flag in zip(dets, anns, flags):
        boxes, gts = det['bboxes'].tolist(), ann['bboxes'].tolist()
        mine = [j for j, x in enumerate(ann['labels']) if x == label]
        num_gt += sum(flag[j] for j in mine)
        todo = [i for i, x in enumerate(det['labels']) if x == label]
        free = set(mine)
        outcome = {}
        for i in sorted(todo, key=lambda i: (-det['scores'][i], i)):
            best, best_iou = None, -1.0
            for j in sorted(free):
                w = gts[j][2] - gts[j][0] + 1
                h = gts[j][3] - gts[j][1] + 1
                need = min(iou_thr, w * h / ((w + tolerance) * (h + tolerance)))
                iou = loop_iou(boxes[i], gts[j])
                if iou >= need and iou > best_iou:
                    best, best_iou = j, iou
            if best is None:
                outcome[i] = 0, loop_weight(boxes[i], gts, flag, share)
            else:
                free.remove(best)
                outcome[i] = int(flag[best]), 0
        hits += [(det['scores'][i], *outcome[i]) for i in todo]
    if num_gt == 0:
        return math.nan
    hits.sort(key=lambda hit: -hit[0])
    return loop_ap([hit[1:] for hit in hits], num_gt)


def loop_map(dets, anns, num_classes, ranges, iou_thr=0.5, tolerance=10):
    result = {}
    groups = [('', None)] + [(f'_{k}', v) for k, v in (ranges or {}).items()]
    for suffix, limits in groups:
        ap = [loop_ap_of_class(dets, anns, label, limits, iou_thr, tolerance) for label in range(num_classes)]
        known = [value for value in ap if not math.isnan(value)]
        result[f'ap{suffix}'] = ap
        result[f'mAP50{suffix}'] = sum(known) / len(known) if known else math.nan
    return result


def random_case(seed):
    """A small data set on a coarse grid, so that ties are common."""
    rng = random.Random(seed)
    num_classes = rng.randint(1, 3)
    grid, scores = rng.choice([(4, 3), (10, 5), (1, 1000)])

    def box():
        x, y = rng.randint(0, 8) * grid, rng.randint(0, 8) * grid
        return [x, y, x + rng.randint(0, 8) * grid, y + rng.randint(0, 8) * grid]

    dets, anns = [], []
    for _ in range(rng.randint(1, 6)):
        gts = [box() for _ in range(rng.choice([0, 1, 2, 4]))]
        labels = [rng.randrange(num_classes) for _ in gts]
        anns.append(frame(gts, labels, motion=[rng.choice([0, 0.3, 0.7, 0.8, 0.9, 1]) for _ in gts]))
        boxes, det_labels = [], []
        for _ in range(rng.choice([0, 1, 3, 8])):
            boxes.append(box())
            det_labels.append(rng.randrange(num_classes))
            if gts and rng.random() < 0.7:
                j = rng.randrange(len(gts))
                shift = [rng.randint(-2, 2) for _ in range(2)] * 2
                boxes[-1] = [v + s for v, s in zip(gts[j], shift)]
                det_labels[-1] = labels[j]
        dets.append(frame(boxes, det_labels, [rng.randint(0, scores) / scores for _ in boxes]))
    return dets, anns, num_classes
