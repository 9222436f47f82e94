# Copyright (c) mmrdn contributors. All rights reserved.
"""Precision-recall curves and the confusion matrix against counts by hand, plain loops and scikit-learn."""

import json
import math
import random
from dataclasses import replace

import cv2
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from sklearn.metrics import precision_recall_curve

from helpers.naive_vid_map import frame, loop_iou, random_case
from helpers.vid_metric import CLASSES, make_coco, make_samples, run, write
from mmrdn.evaluation import confusion_matrix, precision_recall, vid_map
from mmrdn.evaluation.detection_report import DetectionReport
from mmrdn.structures import FrameAnnotations, FrameDetections

BOX, NEAR, FAR = (10, 10, 60, 60), (12, 10, 62, 60), (200, 200, 260, 260)


def frames(dets, anns):
    return FrameDetections.of_all(dets, 'detections'), FrameAnnotations.of_all(anns, 'annotations')


def test_curve_by_hand():
    """Four objects, one never found; by score: right, wrong, right, again the same, right."""
    anns = [frame([BOX, FAR]), frame([BOX]), frame([BOX])]
    dets = [frame([BOX, BOX], scores=[0.9, 0.5]), frame([FAR, NEAR], scores=[0.8, 0.7]), frame([NEAR], scores=[0.3])]
    (curve,) = precision_recall(*frames(dets, anns), 1)
    assert curve.scores.tolist() == [0.9, 0.8, 0.7, 0.5, 0.3]
    assert curve.precision.tolist() == [1, 1 / 2, 2 / 3, 2 / 4, 3 / 5]
    assert curve.recall.tolist() == [1 / 4, 1 / 4, 2 / 4, 2 / 4, 3 / 4]
    # The largest precision at a recall or beyond: 1 up to 1/4, 2/3 up to 2/4, 3/5 up to 3/4.
    assert curve.average_precision == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    precision, scores = curve.at(np.array([0, 0.25, 0.26, 0.5, 0.75, 0.76]))
    assert precision.tolist() == [1, 1, 2 / 3, 2 / 3, 3 / 5, 0]
    assert scores[:5].tolist() == [0.9, 0.9, 0.7, 0.7, 0.3] and math.isnan(scores[5])


@pytest.mark.parametrize('seed', range(20))
def test_areas_are_the_ap_of_the_metric(seed):
    dets, anns, num_classes = random_case(seed)
    curves = precision_recall(dets, anns, num_classes)
    np.testing.assert_array_equal([curve.average_precision for curve in curves], vid_map(dets, anns, num_classes)['ap'])


def test_curve_of_scikit_learn():
    """Each frame has one box, right or wrong, and scores differ."""
    rng = np.random.default_rng(0)
    right, scores = rng.random(40) < 0.6, rng.permutation(40) / 40
    dets = [frame([BOX if ok else FAR], scores=[score]) for ok, score in zip(right, scores)]
    (curve,) = precision_recall(dets, [frame([BOX])] * 40, 1)
    precision, recall, _ = precision_recall_curve(right, scores)
    np.testing.assert_allclose(curve.precision, precision[-2::-1])
    np.testing.assert_allclose(curve.recall, recall[-2::-1] * right.sum() / 40)  # of all objects, not of those found


def test_classes_without_objects_or_detections():
    dets, anns = [frame([BOX], [1], [0.5])], [frame([BOX], [0])]
    missed, absent, unused = precision_recall(dets, anns, 3)
    assert missed.average_precision == 0 and missed.at(np.array([0.0, 1.0]))[0].tolist() == [0, 0]
    assert math.isnan(absent.average_precision) and (absent.num_gt, len(absent.scores)) == (0, 1)
    assert math.isnan(unused.average_precision) and len(unused.scores) == 0


def test_confusion_by_hand():
    """A cat found, a cat taken for a dog, a dog missed, an owl in an empty frame, a cat below the score."""
    anns = [frame([BOX, FAR], [0, 0]), frame([BOX], [1]), frame([])]
    dets = [frame([NEAR, FAR, BOX], [0, 1, 0], [0.6, 0.9, 0.1]), frame([FAR], [1], [0.2]), frame([BOX], [2], [0.5])]
    expected = [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]
    assert confusion_matrix(*frames(dets, anns), 3, score_thr=0.5).tolist() == expected


def test_the_right_class_goes_first():
    """The dog scores higher, but the cat is the cat's; the dog that is left over finds nothing."""
    matrix = confusion_matrix(*frames([frame([BOX, NEAR], [1, 0], [0.9, 0.6])], [frame([BOX], [0])]), 2)
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize('seed', range(30))
def test_confusion_against_a_loop(seed):
    """The same rule, one box after the other, counted by scikit-learn."""
    dets, anns, num_classes = random_case(seed)
    score_thr = random.Random(seed).choice([0.0, 0.4])
    true, predicted = [], []
    for det, ann in zip(dets, anns):
        boxes, gts = det['bboxes'].tolist(), ann['bboxes'].tolist()
        left = [i for i in np.argsort(-det['scores'], kind='stable') if det['scores'][i] >= score_thr]
        free = set(range(len(gts)))
        for same in (True, False):
            for i in list(left):
                fits = []
                for j in sorted(free):
                    w, h = gts[j][2] - gts[j][0] + 1, gts[j][3] - gts[j][1] + 1
                    iou = loop_iou(boxes[i], gts[j])
                    if iou >= min(0.5, w * h / ((w + 10) * (h + 10))) and (
                        not same or ann['labels'][j] == det['labels'][i]
                    ):
                        fits.append((-iou, j))
                if fits:
                    j = min(fits)[1]
                    free.remove(j)
                    left.remove(i)
                    true.append(ann['labels'][j])
                    predicted.append(det['labels'][i])
        true += [num_classes] * len(left) + [ann['labels'][j] for j in free]
        predicted += [det['labels'][i] for i in left] + [num_classes] * len(free)
    found = confusion_matrix(*frames(dets, anns), num_classes, score_thr)
    expected = (
        sklearn_confusion_matrix(true, predicted, labels=range(num_classes + 1)) if true else np.zeros_like(found)
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_report_of_the_metric(tmp_path):
    """The JSON says what the functions do; a second evaluation gets a number; the plots are images."""
    coco = make_coco()
    samples, ann_file = make_samples(coco), write(tmp_path / 'gt.json', coco)
    prefix = tmp_path / 'out' / 'val'
    metrics = run(samples, ann_file=ann_file, report=dict(prefix=str(prefix), score_thr=0.3))
    report = json.loads((tmp_path / 'out' / 'val.report.json').read_text())
    for name in CLASSES:
        known = report['classes'][name]
        assert known['num_gt'] == sum(
            entry['category_id'] == {c['name']: c['id'] for c in coco['categories']}[name]
            for entry in coco['annotations']
        )
        assert known['ap'] is None or known['ap'] == metrics[f'vid/AP50/{name}']
        assert known['ap'] is None or len(known['precision']) == len(report['recall']) == 101
    counts = np.array(report['confusion_matrix']['counts'])
    assert report['confusion_matrix']['rows'] == [*CLASSES, 'nothing']
    assert counts[:-1].sum() == len(coco['annotations'])
    num_found = sum(int((sample.pred_det_instances.scores >= 0.3).sum()) for sample in samples)
    assert counts[:, :-1].sum() == num_found
    for name in ('precision_recall', 'confusion_matrix'):
        assert cv2.imread(str(tmp_path / 'out' / f'val.{name}.png')).shape[2] == 3
    with pytest.raises(FileExistsError, match=r'val.report.json exists; move it or choose another prefix'):
        run(samples, ann_file=ann_file, report=dict(prefix=str(prefix)))


@pytest.mark.slow
def test_a_second_evaluation_keeps_the_first(tmp_path):
    report = DetectionReport(str(tmp_path / 'val'))
    arguments = (*frames([frame([BOX], scores=[0.9])], [frame([BOX])]), ['$a$'], 0.5, 10)
    assert [report.write(*arguments).name for _ in range(2)] == ['val.report.json', 'val.2.report.json']
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f'val.{number}{name}'
        for number in ('2.', '')
        for name in ('confusion_matrix.png', 'precision_recall.png', 'report.json')
    ]
    with pytest.raises(ValueError, match='score_thr of the report must be from 0 to 1, got 2'):
        DetectionReport(str(tmp_path / 'other'), score_thr=2)


def test_frames_that_nobody_annotated_count_nowhere():
    dets, anns = frames([frame([BOX], scores=[0.9])] * 2, [frame([BOX])] * 2)
    anns = [anns[0], replace(anns[1], is_annotated=False, bboxes=np.zeros((0, 4)), labels=np.zeros(0, int))]
    assert confusion_matrix(dets, anns, 1).tolist() == [[1, 0], [0, 0]]
    (curve,) = precision_recall(dets, anns, 1)
    assert curve.precision.tolist() == [1.0]
