# Copyright (c) mmrdn contributors. All rights reserved.
import random

import numpy as np
import pytest

from mmrdn.evaluation import motion_iou
from mmrdn.evaluation.functional import with_motion_ious
from mmrdn.structures import FrameAnnotations


def loop_motion_iou(frame_ids, boxes, window):
    """The definition, one pair at a time."""
    result = []
    for frame, a in zip(frame_ids, boxes):
        ious = []
        for other, b in zip(frame_ids, boxes):
            if other != frame and abs(other - frame) <= window:
                width = min(a[2], b[2]) - max(a[0], b[0]) + 1
                height = min(a[3], b[3]) - max(a[1], b[1]) + 1
                inter = max(width, 0) * max(height, 0)
                areas = [(c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)]
                ious.append(inter / (sum(areas) - inter))
        result.append(sum(ious) / len(ious) if ious else 1.0)
    return result


def random_track(rng, longest=40):
    n = rng.randint(0, longest)
    frame_ids = rng.sample(range(60), n)
    boxes = []
    for _ in range(n):
        x, y = rng.uniform(0, 20), rng.uniform(0, 20)
        boxes.append([x, y, x + rng.uniform(0, 30), y + rng.uniform(0, 30)])
    return dict(frame_ids=frame_ids, bboxes=boxes)


@pytest.mark.parametrize('seed', range(30))
def test_equals_plain_loops(seed):
    rng = random.Random(seed)
    window = rng.choice([1, 3, 10, 100])
    tracks = [random_track(rng) for _ in range(rng.randint(0, 5))]
    result = motion_iou(tracks, window=window)
    assert len(result) == len(tracks)
    for track, ious in zip(tracks, result):
        expected = loop_motion_iou(track['frame_ids'], track['bboxes'], window)
        np.testing.assert_allclose(ious, expected, atol=1e-12)


def test_by_hand():
    # 10x10 pixels moving by 5 a frame: IoU 50/150 with the next, 0 beyond.
    boxes = np.array([[0, 0, 9, 9], [5, 0, 14, 9], [10, 0, 19, 9]])
    (ious,) = motion_iou([boxes])
    np.testing.assert_allclose(ious, [1 / 6, 1 / 3, 1 / 6])


def test_window_is_closed_and_absence_does_not_count():
    box, away = [0, 0, 9, 9], [50, 50, 59, 59]
    track = dict(frame_ids=[0, 10, 21], bboxes=[box, box, away])
    (ious,) = motion_iou([track])
    # 0 and 10 see each other; 21 sees nothing within 10 frames.
    assert ious.tolist() == [1, 1, 1]
    (ious,) = motion_iou([track], window=11)
    assert ious.tolist() == [1, 0.5, 0]


def test_mapping_keeps_its_keys():
    still, empty = np.array([[0, 0, 9, 9]] * 3), np.zeros((0, 4))
    result = motion_iou({'cat': still, 7: empty})
    assert list(result) == ['cat', 7]
    assert result['cat'].tolist() == [1, 1, 1]
    assert result[7].shape == (0,)
    assert motion_iou([]) == []


@pytest.mark.parametrize(
    'track, message',
    [
        (np.zeros((2, 3)), r'tracks\[0\].*\(n, 4\).*\(2, 3\)'),
        (dict(bboxes=np.zeros((1, 4))), 'frame_ids'),
        (dict(frame_ids=[1], bboxes=np.zeros((2, 4))), r'\(2,\).*\(1,\)'),
        (dict(frame_ids=[3, 3], bboxes=np.zeros((2, 4))), 'two in frame 3'),
        (dict(frame_ids=[0.5], bboxes=np.zeros((1, 4))), 'integers'),
        (np.array([[0, 0, np.nan, 1]]), 'finite'),
        (np.array([[5, 0, 0, 1]]), 'x2 >= x1'),
    ],
)
def test_bad_track_is_named(track, message):
    with pytest.raises(ValueError, match=message):
        motion_iou([track])


def test_bad_window():
    with pytest.raises(ValueError, match='window.*0'):
        motion_iou([], window=0)


def annotated(video_id, frame_id, bboxes, instance_ids):
    labels = np.zeros(len(bboxes))
    return FrameAnnotations(
        video_id=video_id, frame_id=frame_id, bboxes=bboxes, labels=labels, instance_ids=instance_ids
    )


def test_frames_get_the_ious_of_their_tracks():
    still, moving = [0, 0, 9, 9], [100, 0, 109, 9]
    frames = [
        annotated(1, 0, [still], ['a']),
        # The same id in another video, and boxes of no instance.
        annotated(2, 0, [moving, still, moving], ['a', None, None]),
        annotated(1, 1, [moving, [0, 0, 9, 4]], ['b', 'a']),
        annotated(2, 1, [], []),
    ]
    assert [f.motion_ious.tolist() for f in with_motion_ious(frames)] == [[0.5], [1, 1, 1], [1, 0.5], []]


def test_instance_twice_in_a_frame():
    frames = [annotated('v', 4, [[0, 0, 9, 9]] * 2, [3, 3])]
    with pytest.raises(ValueError, match='instance_id 3 of video v.*frame 4'):
        with_motion_ious(frames)
