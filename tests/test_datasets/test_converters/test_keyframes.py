# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrdn.datasets.converters.annotated_video import Track, TrackBox
from mmrdn.datasets.converters.interpolation import fill_track
from mmrdn.datasets.converters.keyframes import choose_keyframes, thin_track


def iou(one, other):
    """By its definition."""
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def moving(x, frame):
    return TrackBox(frame, (x, 10.0, x + 20.0, 30.0))


def test_uniform_motion_needs_two_keyframes_and_a_turn_three():
    there = [moving(3.0 * t, t) for t in range(10)]
    back = [moving(27.0 - 3.0 * (t - 9), t) for t in range(10, 19)]
    assert [box.frame for box in thin_track(Track('cat', there), 10).boxes] == [0, 9]
    turned = thin_track(Track('cat', there + back), 19, min_iou=1 - 1e-9)
    assert [box.frame for box in turned.boxes] == [0, 9, 18]


def test_a_gap_ends_a_run_by_a_box_outside():
    track = thin_track(Track('cat', [moving(5.0, t) for t in (2, 3, 4, 8)], name='7'), 12)
    assert [(box.frame, box.outside) for box in track.boxes] == [
        (2, False),
        (4, False),
        (5, True),
        (8, False),
        (9, True),
    ]
    assert (track.label, track.name) == ('cat', '7')


def test_nothing_follows_the_last_frame_of_the_video():
    track = thin_track(Track('cat', [moving(5.0, t) for t in (10, 11)]), 12)
    assert [(box.frame, box.outside) for box in track.boxes] == [(10, False), (11, False)]
    assert thin_track(Track('cat', []), 12).boxes == []
    assert choose_keyframes(np.zeros((0, 4)), 0.9) == []


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from([0.7, 0.9, 0.99]))
def test_what_is_left_out_follows_from_what_stays(data, min_iou):
    """A box in the same frames, each with that IoU; and no keyframe may go."""
    frames = sorted(data.draw(st.sets(st.integers(0, 24), min_size=1)))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    corners = np.cumsum(rng.normal(0, 2, (len(frames), 2)), 0) + 100
    sizes = 30 + np.cumsum(rng.normal(0, 1, (len(frames), 2)), 0)
    boxes = [
        TrackBox(t, (*low.tolist(), *(low + np.abs(size)).tolist())) for t, low, size in zip(frames, corners, sizes)
    ]
    thinned = thin_track(Track('cat', boxes), 25, min_iou)
    filled = fill_track(thinned.boxes, 25)
    assert [box.frame for box in filled] == frames
    assert all(iou(one.box, other.box) >= min_iou - 1e-9 for one, other in zip(filled, boxes))
    assert all(box.keyframe and not box.interpolated for box in thinned.boxes)
