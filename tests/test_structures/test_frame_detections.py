# Copyright (c) mmrdn contributors. All rights reserved.
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from mmrdn.structures import FrameDetections, SupportWeights

BOXES = np.array([[0, 0, 4, 4], [1, 1, 5, 5], [2, 2, 6, 6], [3, 3, 7, 7], [4, 4, 8, 8]], float)


def five(**fields):
    return FrameDetections(**dict(dict(bboxes=BOXES, scores=np.arange(5) / 10, labels=np.arange(5)), **fields))


def test_lists_and_tensors_become_arrays():
    for kind in (np.ndarray.tolist, torch.tensor):
        found = five(**{k: kind(getattr(five(), k)) for k in ('bboxes', 'scores', 'labels')})
        for field in ('bboxes', 'scores', 'labels'):
            np.testing.assert_array_equal(getattr(found, field), getattr(five(), field))
    assert five(scores=torch.ones(5).bfloat16()).scores.dtype == np.float32
    assert five(scores=[1, 0, 1, 0, 1], labels=np.ones(5)).labels.dtype == np.int64
    empty = FrameDetections(bboxes=[], scores=[], labels=[])
    assert len(empty) == 0 and empty.bboxes.shape == (0, 4) and list(empty) == []


@pytest.mark.parametrize(
    'change, text',
    [
        (dict(scores=[0.5]), 'scores must be (5,), got (1,)'),
        (dict(bboxes=[0.5]), 'bboxes must be (1, 4), got (1,)'),
        (dict(labels=[0]), 'labels must be (5,), got (1,)'),
        (dict(labels=list('abcde')), 'labels must be numbers'),
        (dict(labels=[0, 1, 2, 3, 0.5]), 'labels must be integers, got 0.5'),
        (dict(labels=None), "must have the field 'labels'"),
        (dict(scores=[0, 0, np.nan, 0, 0]), 'scores must be finite, got nan'),
        (dict(bboxes=np.where(BOXES == 8, np.inf, BOXES)), 'bboxes must be finite, got inf'),
        (dict(track_ids=[1, 2]), 'track_ids must be (5,), got (2,)'),
        (dict(detected_inds=np.full(5, np.nan)), 'detected_inds must be finite'),
    ],
)
def test_what_is_wrong_is_named(change, text):
    with pytest.raises(ValueError) as caught:
        five(**change, video_id='v', frame_id=3, img_id=7)
    assert str(caught.value).startswith('video v, frame 3, img_id 7: ')
    assert text in str(caught.value)


def test_it_is_frozen_and_travels_between_processes():
    found = five(relations=csr_array(np.eye(5)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.scores = found.labels
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.bboxes, BOXES)
    np.testing.assert_array_equal(again.relations.toarray(), np.eye(5))


def test_linked():
    found = five(frame_id=2)
    linked = found.linked(found.scores + 1, [1, -1, 2, -1, 3], np.ones(5, bool), 9)
    assert linked.frame_id == 2 and linked.num_linked == 9 and found.track_ids is None
    np.testing.assert_array_equal(linked.unlinked_scores, found.scores)
    assert linked.unlinked() is found and found.unlinked() is found and found.unlinked_scores is None
    assert [track for *_, track in linked] == [1, None, 2, None, 3]


def test_linking_may_take_boxes_out():
    found = five(frame_id=2, relations=csr_array(np.eye(5)))
    linked = found.linked(found.scores + 1, [1, -1, 2, -1, 3], np.array([True, False, True, True, False]), 9)
    np.testing.assert_array_equal(linked.bboxes, BOXES[[0, 2, 3]])
    assert linked.scores.tolist() == [1.0, 1.2, 1.3] and linked.track_ids.tolist() == [1, 2, -1]
    assert linked.unlinked_scores.tolist() == [0.0, 0.2, 0.3]
    # Of those that are shown, one more is left out: the others still know which ones they were.
    assert linked.select(linked.scores > 1.1).unlinked_scores.tolist() == [0.2, 0.3]
    assert len(linked.unlinked()) == 5 and linked.relations is None and linked.unlinked().relations is not None


def test_supports_follow_their_detections():
    supports = SupportWeights(
        detection_inds=np.array([0, 3, 4]),
        frame_offsets=np.zeros((3, 1), int),
        bboxes=np.zeros((3, 1, 4)),
        weights=np.array([[0.0], [0.3], [0.4]]),
    )
    found = five(frame_id=4, top_supports=supports, track_ids=[5, 6, 7, 8, 9], relations=csr_array(np.eye(5)))
    selected = found.select(np.array([False, True, False, True, True]))
    assert selected.frame_id == 4
    assert selected.labels.tolist() == [1, 3, 4] and selected.track_ids.tolist() == [6, 8, 9]
    np.testing.assert_array_equal(selected.bboxes, BOXES[[1, 3, 4]])
    # By hand: 3 and 4 are now 1 and 2, 0 is gone.
    assert selected.top_supports.detection_inds.tolist() == [1, 2]
    assert selected.top_supports.weights.tolist() == [[0.3], [0.4]]
    assert selected.relations is None
    # The given one is as it was.
    assert len(found) == 5
    assert found.top_supports.detection_inds.tolist() == [0, 3, 4]


def test_none_kept():
    selected = five().select(np.zeros(5, bool))
    assert len(selected) == 0 and selected.bboxes.shape == (0, 4)
    assert selected.top_supports is None


def test_detections_of_some_classes():
    found = five(labels=np.array([2, 0, 1, 2, 3]))
    assert found.of_labels([2, 3]).scores.tolist() == [0.0, 0.3, 0.4]
    assert len(found.of_labels([5])) == 0
    assert found.of_labels(None) is found
