# Copyright (c) mmrdn contributors. All rights reserved.
import pickle
from collections import defaultdict

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from helpers.tools import ROOT
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.models import ByteTracker
from mmrdn.registry import TASK_UTILS

DAVIS = ROOT.parent / 'shared' / 'data' / 'davis' / 'val.json'


def sample(boxes):
    """A frame of boxes (x, y, width, height, score, label), in fp32 as detectors give them."""
    rows = np.array(boxes, np.float32).reshape(-1, 6)
    corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    frame = TrackDataSample()
    frame.pred_det_instances = InstanceData(
        bboxes=torch.from_numpy(corners),
        scores=torch.from_numpy(rows[:, 4].copy()),
        labels=torch.from_numpy(rows[:, 5].astype(np.int64)),
    )
    return frame


def track(tracker, video):
    found = []
    for boxes in video:
        frame = sample(boxes)
        tracker.add_ids(frame)
        found.append(frame.pred_det_instances.instances_id.tolist())
    return found


def still(x, score=0.9, label=0):
    return (x, 50, 20, 40, score, label)


# ------------------------------------------------------------------ who is who


def test_two_of_a_class_cross():
    """They meet between frames 5 and 6, where the nearest box of the frame before is the other one's."""
    right = [(10 + 12 * t, 50, 40, 30, 0.9, 0) for t in range(12)]
    left = [(142 - 12 * t, 53, 40, 30, 0.8, 0) for t in range(12)]
    assert [(a[0], b[0]) for a, b in zip(right, left)][5:7] == [(70, 82), (82, 70)]
    assert track(ByteTracker(), zip(right, left)) == [[1, 2]] * 12
    # Rows come in any order: detectors sort by score.
    video = [boxes if t % 2 else boxes[::-1] for t, boxes in enumerate(zip(right, left))]
    assert track(ByteTracker(), video) == [[1, 2], [2, 1]] * 6


def test_classes_are_tracked_apart():
    """Two classes on the same boxes, one of which is taken for a third class in frame 2."""
    labels = [(0, 1), (1, 0), (2, 0), (0, 1)]
    video = [[still(50, 0.9, label) for label in pair] for pair in labels]
    assert track(ByteTracker(), video) == [[1, 2], [2, 1], [3, 1], [1, 2]]


def test_known_objects_in_any_order():
    """Six objects that wander, of which each is lost now and then, for a frame at a time."""
    rng = np.random.default_rng(0)
    places = np.array([[100 * i, 100] for i in range(6)], float)
    tracker, last = ByteTracker(), np.full(6, 0)
    for t in range(60):
        places += rng.uniform(-3, 3, places.shape)
        lost = (rng.random(6) < 0.2) & (last == t - 1) & (t > 0)
        there = rng.permutation(np.flatnonzero(~lost))
        last[there] = t
        boxes = [(*places[i], 50, 60, rng.uniform(0.5, 1), 0) for i in there]
        (found,) = track(tracker, [boxes])
        if t == 0:
            names = dict(zip(there.tolist(), found))
            assert found == [1, 2, 3, 4, 5, 6]
        assert found == [names[i] for i in there.tolist()]


# ------------------------------------------------------------------------ gaps


@pytest.mark.parametrize('others', [[], [still(900, 0.9, 1)], [still(900, 0.01)], [(900, 50, 0, 9, 0.9, 0)]])
def test_an_object_is_lost_for_a_frame(others):
    """It moves by 20 of its 30 pixels a frame, and so by more than its width in two.

    It does not matter what else is in the frame in which it is lost.
    """
    video = [[(20 * t, 50, 30, 30, 0.9, 0)] for t in range(8)]
    video[3] = others
    found = track(ByteTracker(), video)
    assert [ids for t, ids in enumerate(found) if t != 3] == [[1]] * 7


def test_how_long_a_track_is_kept():
    """A gap of two frames is less than three, one of three is not."""
    video = [[still(50)]] * 3 + [[]] * 2 + [[still(50)]] * 2 + [[]] * 3 + [[still(50)]]
    found = track(ByteTracker(num_frames_retain=3), video)
    assert found == [[1]] * 3 + [[]] * 2 + [[1]] * 2 + [[]] * 3 + [[2]]


def test_a_track_that_is_not_confirmed_ends_with_its_first_gap():
    """Tracks that begin after the first frame; three boxes in a row confirm one."""
    here = [still(50)]
    assert track(ByteTracker(), [[], here, here, [], here, here, here, [], here]) == (
        [[], [1], [1], [], [2], [2], [2], [], [2]]
    )
    assert track(ByteTracker(num_tentatives=2), [[], here, here, [], here]) == [[], [1], [1], [], [1]]
    assert track(ByteTracker(), [here, [], here]) == [[1], [], [1]]


@pytest.mark.slow
@pytest.mark.skipif(not DAVIS.exists(), reason='needs the DAVIS clips in ../shared/data/davis')
def test_real_motion():
    """One object in each of six real videos, of which the detector misses each fifth frame."""
    file = CocoVidFile(str(DAVIS))
    videos = defaultdict(list)
    for image in file.data['images']:
        videos[image['video_id']].append(image['id'])
    boxes = {entry['image_id']: (*entry['bbox'], 0.9, 0) for entry in file.data['annotations']}
    assert len(videos) == 6
    for images in videos.values():
        found = track(ByteTracker(), [[boxes[image]] if t % 5 != 4 else [] for t, image in enumerate(images)])
        assert found == [[1] if t % 5 != 4 else [] for t in range(len(images))]


# ---------------------------------------------------------------------- scores


def test_low_scores_continue_tracks_and_begin_none():
    weak, noise = still(50, 0.2), still(200, 0.2)
    assert track(ByteTracker(), [[still(50)], [weak, noise], [noise, weak], [still(50), still(50, 0.05)]]) == (
        [[1], [1, -1], [-1, 1], [1, -1]]
    )
    assert track(ByteTracker(), [[], [weak], [weak]]) == [[], [-1], [-1]]
    # A track that was lost waits for a high score.
    assert track(ByteTracker(), [[still(50)], [], [weak], [still(50)]]) == [[1], [], [-1], [1]]


def test_what_is_high_is_an_option():
    video = [[still(50, 0.5)], [still(50, 0.7), still(200, 0.5)], [still(50, 0.7), still(200, 0.7)]]
    strict = ByteTracker(obj_score_thrs=dict(high=0.6, low=0.1))
    assert track(strict, video) == [[-1], [1, -1], [1, 2]]
    assert track(ByteTracker(), video) == [[1], [1, 2], [1, 2]]


# ----------------------------------------------------------------------- edges


def test_what_is_no_box_has_no_track():
    """They would divide by zero, or spread over all tracks."""
    bad = [(50, 50, 0, 40, 0.9, 0), (50, 50, 20, 0, 0.9, 0), (50, 50, -5, 9, 0.9, 0), (50, 50, 1, np.inf, 0.9, 0)]
    bad += [(np.nan, 50, 1, 1, 0.9, 0), (50, 50, 20, 40, np.nan, 0)]
    assert track(ByteTracker(), [[*bad, still(50)]] * 3) == [[-1] * 6 + [1]] * 3


def test_equal_boxes_have_different_tracks():
    for ids in track(ByteTracker(), [[still(50)] * 2] * 3):
        assert sorted(ids) == [1, 2]


def test_numbers_begin_again_with_a_new_video():
    tracker = ByteTracker()
    assert track(tracker, [[still(50), still(200)], [still(400)]]) == [[1, 2], [3]]
    tracker.reset()
    assert track(tracker, [[still(400)]]) == [[1]]
    assert track(ByteTracker(), [[]]) == [[]]


def test_nothing_but_the_tracks_is_written():
    frame, twin = sample([still(50, 0.2), still(90)]), sample([still(50, 0.2), still(90)])
    frame.pred_det_instances.bboxes = HorizontalBoxes(frame.pred_det_instances.bboxes)
    ByteTracker().add_ids(frame)
    found, given = frame.pred_det_instances, twin.pred_det_instances
    assert torch.equal(found.bboxes.tensor, given.bboxes)
    assert torch.equal(found.scores, given.scores) and torch.equal(found.labels, given.labels)
    assert found.instances_id.dtype == torch.int64 and found.instances_id.tolist() == [-1, 1]


@pytest.mark.slow
def test_memory_does_not_grow_with_a_track():
    tracker = ByteTracker()
    track(tracker, [[still(50)]] * 10)
    size = len(pickle.dumps(tracker))
    assert track(tracker, [[still(50)]] * 200) == [[1]] * 200
    assert len(pickle.dumps(tracker)) == pytest.approx(size, rel=0.01)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(obj_score_thrs=dict(high=0.6)), r"obj_score_thrs must be low, high in \[0, 1\], got {'high': 0.6}"),
        (dict(obj_score_thrs=dict(high=2, low=0)), r'obj_score_thrs must be low, high in \[0, 1\]'),
        (dict(obj_score_thrs=dict(high=0.1, low=0.6)), "'low' must not be above 'high'"),
        (dict(match_iou_thrs=dict(high=0.1, low=0.5)), 'match_iou_thrs must be high, low, tentative in'),
        (dict(num_tentatives=1), 'num_tentatives must be an integer number of frames, 2 or more, got 1'),
        (dict(num_frames_retain=0), 'num_frames_retain must be an integer number of frames, 1 or more, got 0'),
        (dict(num_frames_retain=1.5), 'num_frames_retain must be an integer number of frames, 1 or more, got 1.5'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        TASK_UTILS.build(dict(options, type='ByteTracker'))
