# Copyright (c) mmrdn contributors. All rights reserved.
"""vid_map against hand-computed cases and a plain loop over the protocol."""

import math
import random

import numpy as np
import pytest

from helpers.naive_vid_map import RANGES, frame, loop_map, random_case
from mmrdn.evaluation import vid_map
from mmrdn.evaluation.functional import matching


@pytest.mark.parametrize('seed', range(300))
def test_equals_plain_loops(seed):
    dets, anns, num_classes = random_case(seed)
    result = vid_map(dets, anns, num_classes, RANGES)
    expected = loop_map(dets, anns, num_classes, RANGES)
    for key, value in expected.items():
        np.testing.assert_allclose(result[key], value, atol=1e-12, rtol=0)


@pytest.mark.parametrize('seed', range(20))
def test_other_settings_and_small_chunks_equal_plain_loops(seed, monkeypatch):
    monkeypatch.setattr(matching, 'MAX_PAIRS', 5)
    dets, anns, num_classes = random_case(1000 + seed)
    result = vid_map(dets, anns, num_classes, None, 0.7, 3)
    expected = loop_map(dets, anns, num_classes, None, 0.7, 3)
    np.testing.assert_allclose(result['ap'], expected['ap'], atol=1e-12)
    assert not any('fast' in key for key in result)


# --- by hand ---------------------------------------------------------------


def test_hits_and_misses_by_hand():
    # Scores .9 hit, .8 miss, .7 hit; a third box is never found.
    anns = [frame([[0, 0, 99, 99], [200, 200, 299, 299]]), frame([[0, 0, 99, 99]])]
    dets = [frame([[0, 0, 99, 99], [400, 400, 499, 499]], scores=[0.9, 0.8]), frame([[0, 0, 99, 99]], scores=[0.7])]
    result = vid_map(dets, anns, 2)
    # Recall 1/3 at precision 1, then 2/3 at precision 2/3.
    assert result['ap'][0] == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    assert math.isnan(result['ap'][1])
    assert result['mAP50'] == result['ap'][0]
    assert result['num_gt'].tolist() == [3, 0]


@pytest.mark.parametrize('shift, hit', [(3, 1), (4, 0)])
def test_threshold_of_small_boxes_by_hand(shift, hit):
    # 10x10 pixels: the threshold is 100 / 400 = 0.25. Shifted by s in x and y: (10 - s)^2 / (200 -
    # (10 - s)^2) = 49/151 = 0.32 or 36/164 = 0.22.
    anns = [frame([[0, 0, 9, 9]])]
    dets = [frame([[shift, shift, shift + 9, shift + 9]], scores=[1])]
    assert vid_map(dets, anns, 1)['mAP50'] == hit
    assert vid_map(dets, anns, 1, pixel_tolerance=0)['mAP50'] == 0


def test_iou_reaches_threshold_exactly():
    # 100x100 pixels against its 50x100 half: IoU 0.5, with inclusive pixels.
    anns = [frame([[0, 0, 99, 99]])]
    assert vid_map([frame([[0, 0, 49, 99]], scores=[1])], anns, 1)['mAP50'] == 1
    assert vid_map([frame([[0, 0, 48, 99]], scores=[1])], anns, 1)['mAP50'] == 0


def test_taken_box_leaves_the_second_best():
    # Both boxes suit both detections; the second takes what is left.
    anns = [frame([[0, 0, 99, 99], [10, 0, 109, 99]])]
    dets = [frame([[0, 0, 99, 99], [0, 0, 99, 99]], scores=[0.5, 0.9])]
    assert vid_map(dets, anns, 1)['mAP50'] == 1
    # Only one box: the second is a false positive, seen first or last.
    anns = [frame([[0, 0, 99, 99]])]
    assert vid_map(dets, anns, 1)['mAP50'] == 1


def test_equal_scores_go_by_index():
    anns = [frame([[0, 0, 99, 99]])]
    good, bad = [0, 0, 99, 99], [300, 300, 399, 399]
    assert vid_map([frame([good, bad], scores=[1, 1])], anns, 1)['mAP50'] == 1
    assert vid_map([frame([bad, good], scores=[1, 1])], anns, 1)['mAP50'] == 0.5


def two_groups(det, det_label=0, score=0.9):
    """A fast and a slow box, the fast one found; one more detection."""
    fast, slow = [0, 0, 99, 99], [200, 0, 299, 99]
    anns = [frame([fast, slow], motion=[0.1, 1.0])]
    dets = [frame([det, fast], [det_label, 0], [score, 0.5])]
    return vid_map(dets, anns, 2, RANGES)


def test_match_to_ignored_counts_as_neither():
    result = two_groups([200, 0, 299, 99])
    assert result['mAP50'] == result['mAP50_fast'] == result['mAP50_slow'] == 1
    assert math.isnan(result['mAP50_medium'])


def test_unmatched_weighs_by_nearest_group():
    # IoU 0.33 with the slow box and none with the fast one.
    result = two_groups([250, 0, 349, 99])
    assert result['mAP50_fast'] == 1
    assert result['mAP50'] == 0.25
    # Nearest to the fast box: a false positive there, before the hit.
    assert two_groups([50, 0, 149, 99])['mAP50_fast'] == 0.5


def test_unmatched_between_groups_weighs_share_of_ignored():
    # Touches nothing: IoU 0 with both. One box of two is ignored.
    result = two_groups([500, 500, 599, 599])
    assert result['mAP50_fast'] == pytest.approx(1 / 1.5)
    assert result['mAP50'] == 0.25


def test_other_class_counts_for_the_weight():
    anns = [frame([[0, 0, 99, 99], [200, 0, 299, 99]], [0, 1], motion=[0.1, 1.0])]
    # Class 0 upon the slow box of class 1: unmatched, nearest to ignored.
    dets = [frame([[200, 0, 299, 99], [0, 0, 99, 99]], [0, 0], [0.9, 0.5])]
    result = vid_map(dets, anns, 2, RANGES)
    assert result['ap_fast'][0] == 1
    assert result['ap'][0] == 0.5


def test_frame_without_ground_truth_weighs_share_of_group():
    anns = [
        frame([[0, 0, 99, 99]], motion=[0.1]),
        frame([[0, 0, 99, 99]] * 1, motion=[1.0]),
        frame([[0, 0, 99, 99]], motion=[1.0]),
        frame([], motion=[]),
    ]
    dets = [frame([[0, 0, 99, 99]], scores=[0.5]) for _ in range(3)]
    dets.append(frame([[0, 0, 99, 99]], scores=[0.9]))
    result = vid_map(dets, anns, 1, RANGES)
    # The empty frame is one more of motion IoU 0: two of four are fast, and two of four slow.
    assert result['mAP50_fast'] == pytest.approx(1 / (1 + 2 / 4))
    assert result['mAP50_slow'] == pytest.approx(2 / (2 + 2 / 4))
    assert result['mAP50'] == pytest.approx(3 / 4)
    # Another empty one, without detections: three of five.
    empty = frame([], scores=[], motion=[])
    result = vid_map([*dets, empty], [*anns, empty], 1, RANGES)
    assert result['mAP50_fast'] == pytest.approx(1 / (1 + 3 / 5))
    assert result['mAP50_slow'] == pytest.approx(2 / (2 + 2 / 5))


def test_ranges_are_closed_on_both_ends():
    anns = [frame([[0, 0, 9, 9], [20, 0, 29, 9]], motion=[0.7, 0.9])]
    result = vid_map([frame([], scores=[])], anns, 1, RANGES)
    assert [result[f'num_gt_{k}'][0] for k in RANGES] == [1, 2, 1]
    assert result['mAP50_medium'] == 0


def test_nothing_at_all():
    empty, box = frame([], scores=[], motion=[]), [[0, 0, 9, 9]]
    for dets, anns, expected in (
        ([], [], math.nan),
        ([empty], [empty], math.nan),
        ([frame(box, scores=[1])], [empty], math.nan),
        ([empty], [frame(box, motion=[1])], 0.0),
    ):
        result = vid_map(dets, anns, 2, RANGES)
        np.testing.assert_equal(result['mAP50'], expected)
        np.testing.assert_equal(result['mAP50_slow'], expected)
        assert math.isnan(result['mAP50_fast'])


# --- properties ------------------------------------------------------------


def distinct_scores(dets, seed):
    rng = random.Random(seed)
    total = sum(len(det['scores']) for det in dets)
    values = iter(rng.sample(range(1000), total))
    return [dict(det, scores=np.array([next(values) for _ in det['scores']])) for det in dets]


@pytest.mark.parametrize('seed', range(20))
def test_order_of_frames_does_not_matter(seed):
    dets, anns, num_classes = random_case(seed)
    dets = distinct_scores(dets, seed)
    order = random.Random(seed).sample(range(len(dets)), len(dets))
    one = vid_map(dets, anns, num_classes, RANGES)
    two = vid_map([dets[i] for i in order], [anns[i] for i in order], num_classes, RANGES)
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_allclose(one[key], two[key], atol=1e-12)


@pytest.mark.parametrize('seed', range(20))
def test_low_false_positive_never_raises_ap(seed):
    dets, anns, num_classes = random_case(seed)
    before = vid_map(dets, anns, num_classes)
    for det in dets:
        det['bboxes'] = np.vstack([det['bboxes'], [[900, 900, 950, 950]]])
        det['labels'] = np.append(det['labels'], 0)
        det['scores'] = np.append(det['scores'], -1)
    after = vid_map(dets, anns, num_classes)
    known = ~np.isnan(before['ap'])
    assert (after['ap'] <= before['ap'] + 1e-12)[known].all()


@pytest.mark.parametrize('seed', range(20))
def test_perfect_detections(seed):
    _, anns, num_classes = random_case(seed)
    dets = [dict(ann, scores=np.ones(len(ann['labels'])) * 1.5) for ann in anns]
    result = vid_map(dets, anns, num_classes, RANGES)
    for key in ('ap', 'ap_fast', 'ap_slow'):
        known = result[f'num_gt{key[2:]}'] > 0
        assert (result[key][known] == 1).all()
        assert np.isnan(result[key][~known]).all()


# --- bad input -------------------------------------------------------------


@pytest.mark.parametrize(
    'where, field, value, message',
    [
        (
            'dets',
            'bboxes',
            np.zeros((1, 5)),
            r'detections\[1\]: bboxes.*\(1, 4'
            r'\).*\(1, 5\)',
        ),
        (
            'dets',
            'scores',
            np.zeros(2),
            r'detections\[1\]: scores.*\(1,\).*'
            r'\(2,\)',
        ),
        ('dets', 'scores', [np.nan], r'detections\[1\]: scores.*finite.*nan'),
        (
            'dets',
            'bboxes',
            [[0, 0, np.inf, 1]],
            r'detections\[1\]: bboxes.*'
            'finite.*inf',
        ),
        ('dets', 'labels', [2], r'detections\[1\]: labels.*0 to 1.*2'),
        ('dets', 'labels', [-1], r'detections\[1\]: labels'),
        ('dets', 'scores', ['a'], 'scores.*numbers'),
        ('anns', 'labels', [0.5], r'annotations\[1\]: labels.*integers'),
        ('anns', 'bboxes', [[5, 0, 0, 5]], r'annotations\[1\]: bboxes.*x2'),
        ('anns', 'motion_ious', [np.nan], r'annotations\[1\]: motion_ious'),
        ('anns', 'motion_ious', None, r"annotations\[1\].*'motion_ious'"),
    ],
)
def test_bad_field_is_named(where, field, value, message):
    box = [[0, 0, 9, 9]]
    data = dict(
        dets=[frame(box, scores=[1]), frame(box, scores=[1])], anns=[frame(box, motion=[1]), frame(box, motion=[1])]
    )
    if value is None:
        del data[where][1][field]
    else:
        data[where][1][field] = value
    with pytest.raises(ValueError, match=message):
        vid_map(data['dets'], data['anns'], 2, RANGES)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(num_classes=0), 'num_classes'),
        (dict(iou_thr=0), 'iou_thr'),
        (dict(pixel_tolerance=-1), 'pixel_tolerance'),
        (dict(motion_ranges=dict(odd=(1, 0))), 'odd'),
        (dict(annotations=[]), '1 and 0'),
        (dict(detections=[None]), r"detections\[0\].*'bboxes'"),
    ],
)
def test_bad_argument_is_named(change, message):
    arguments = dict(detections=[frame([], scores=[])], annotations=[frame([])], num_classes=1)
    with pytest.raises(ValueError, match=message):
        vid_map(**dict(arguments, **change))
