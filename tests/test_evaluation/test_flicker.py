# Copyright (c) mmrdn contributors. All rights reserved.
"""Flicker against hand-computed cases and a plain loop."""

import math
import random

import numpy as np
import pytest

from helpers.naive_vid_map import loop_iou
from mmrdn.evaluation import flicker
from mmrdn.structures import FrameAnnotations, FrameDetections

BOX, ELSEWHERE = (10, 10, 60, 60), (100, 100, 150, 150)


def truth(boxes, frame_id=0, ids=None, labels=None, video_id=1, **more):
    return FrameAnnotations(
        bboxes=np.array(boxes, float).reshape(-1, 4),
        labels=labels or [0] * len(boxes),
        instance_ids=[7 + i for i in range(len(boxes))] if ids is None else ids,
        frame_id=frame_id,
        video_id=video_id,
        **more,
    )


def found(boxes, scores=None, labels=None):
    return FrameDetections(
        bboxes=np.array(boxes, float).reshape(-1, 4),
        scores=np.array([0.9] * len(boxes) if scores is None else scores, float),
        labels=labels or [0] * len(boxes),
    )


def track(pattern, score=0.9):
    """A video of an object: x where it is found, . where it is not."""
    return [found([BOX], [score]) if mark == 'x' else found([]) for mark in pattern], [
        truth([BOX], i) for i in range(len(pattern))
    ]


@pytest.mark.parametrize(
    'pattern, lost',
    [('x', 0), ('.', 0), ('xxx', 0), ('x.x', 1), ('..x.x..', 1), ('x...x.xx.', 4), ('x..', 0), ('..x', 0), ('....', 0)],
)
def test_one_track(pattern, lost):
    result = flicker(*track(pattern), 1)
    assert result == dict(flicker=lost / len(pattern), found=pattern.count('x') / len(pattern))


def test_what_counts_as_found():
    middle = {
        'the score is low': found([BOX], [0.49]),
        'another place': found([ELSEWHERE]),
        'another class': found([BOX], labels=[1]),
    }
    for reason, frame in middle.items():
        detections, annotations = track('xxx')
        detections[1] = frame
        assert flicker(detections, annotations, 2)['flicker'] == pytest.approx(1 / 3), reason
    detections, annotations = track('xxx')
    detections[1] = found([BOX], [0.5])  # the threshold itself
    assert flicker(detections, annotations, 2)['flicker'] == 0
    assert flicker(detections, annotations, 2, score_thr=0.6)['flicker'] == pytest.approx(1 / 3)


def test_a_detection_finds_one_box():
    """Two objects at one place: the second is lost in the frame with one detection."""
    annotations = [truth([BOX, BOX], i) for i in range(3)]
    detections = [found([BOX, BOX]), found([BOX]), found([BOX, BOX])]
    assert flicker(detections, annotations, 1) == dict(flicker=1 / 6, found=5 / 6)


def test_objects_of_other_videos_and_frames_out_of_order():
    """Instance 7 is found in two videos; in neither it is lost between."""
    annotations = [truth([BOX], 0, video_id=1), truth([BOX], 1, video_id=1), truth([BOX], 0, video_id=2)]
    detections = [found([BOX]), found([]), found([BOX])]
    assert flicker(detections, annotations, 1) == dict(flicker=0, found=2 / 3)
    detections, annotations = track('x.x')
    assert flicker(detections[1:] + detections[:1], annotations[1:] + annotations[:1], 1)['flicker'] == 1 / 3


def test_absence_and_frames_that_nobody_annotated_do_not_count():
    detections, annotations = track('x...x')
    annotations[1] = truth([], 1)
    annotations[2] = truth([BOX], 2, is_annotated=False)
    assert flicker(detections, annotations, 1) == dict(flicker=1 / 3, found=2 / 3)


def test_boxes_without_an_instance_are_objects_of_their_own():
    annotations = [truth([BOX], i, ids=[None]) for i in range(3)]
    assert flicker(track('x.x')[0], annotations, 1) == dict(flicker=0, found=2 / 3)


def test_nothing():
    for frames in ([], [truth([])]):
        result = flicker([found([BOX])] * len(frames), frames, 1)
        assert math.isnan(result['flicker']) and math.isnan(result['found'])


def test_frames_that_do_not_fit():
    with pytest.raises(ValueError, match='one entry per frame each, got 1 and 0'):
        flicker([found([])], [], 1)
    with pytest.raises(ValueError, match=r'annotations\[0\]: .*labels must be integers from 0 to 0, got 1'):
        flicker([found([])], [truth([BOX], labels=[1])], 1)


def naive(detections, annotations, thr):
    """Every box by itself: greedy matching, then a look at all other frames of its object."""
    hit = {}
    for dets, anns in zip(detections, annotations):
        order = sorted(range(len(dets)), key=lambda i: -dets.scores[i])
        free = set(range(len(anns)))
        for i in order:
            if dets.scores[i] < thr:
                continue
            best = None
            for j in sorted(free):
                width, height = anns.bboxes[j, 2:] - anns.bboxes[j, :2] + 1
                needed = min(0.5, width * height / ((width + 10) * (height + 10)))
                iou = loop_iou(dets.bboxes[i], anns.bboxes[j])
                if anns.labels[j] == dets.labels[i] and iou >= needed and (best is None or iou > best[0]):
                    best = (iou, j)
            if best:
                free.discard(best[1])
        for j in range(len(anns)):
            hit[anns.video_id, anns.instance_ids[j], anns.frame_id] = j not in free
    lost = 0
    for (video, instance, frame), is_found in hit.items():
        others = [f for (v, i, f), h in hit.items() if h and (v, i) == (video, instance)]
        lost += not is_found and any(f < frame for f in others) and any(f > frame for f in others)
    return dict(flicker=lost / len(hit), found=sum(hit.values()) / len(hit))


@pytest.mark.parametrize('seed', range(60))
def test_equals_plain_loops(seed):
    rng = random.Random(seed)
    detections, annotations = [], []
    for video in range(rng.randint(1, 3)):
        for frame in range(rng.randint(1, 9)):
            ids = [i for i in range(3) if rng.random() < 0.8 or not (video or frame)]
            boxes = [(40 * i + rng.randint(0, 9), 10, 40 * i + 50 + rng.randint(0, 9), 60) for i in ids]
            annotations.append(truth(boxes, frame, ids, [i % 2 for i in ids], video))
            near = [tuple(x + rng.randint(-9, 9) for x in box) for box in boxes if rng.random() < 0.7]
            near = [(x1, y1, max(x1, x2), max(y1, y2)) for x1, y1, x2, y2 in near]
            detections.append(found(near, [rng.random() for _ in near], [rng.randint(0, 1) for _ in near]))
    result, expected = flicker(detections, annotations, 2, 0.3), naive(detections, annotations, 0.3)
    assert result == pytest.approx(expected)
