# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, dok_array, lil_array

from helpers import naive_linking
from mmrdn.benchmarks.plain_seq_nms import plain_seq_nms
from mmrdn.post_processing import BoxLinkingWithRelations, SeqNMS, TubeLinking, link_video, path_search
from mmrdn.registry import TASK_UTILS
from mmrdn.structures import FrameDetections


def random_video(rng, num_frames, most, num_classes=3, spread=30, ties=False):
    """Frames with 0 to `most` boxes, crowded enough to overlap."""
    frames = []
    for _ in range(num_frames):
        num = rng.integers(0, most + 1)
        corner = rng.uniform(0, spread, (num, 2))
        scores = rng.uniform(0, 1, num)
        if ties:
            corner, scores = np.round(corner / 20) * 20, np.round(scores, 0)
        frames.append(
            dict(
                bboxes=np.concatenate([corner, corner + 20], 1), scores=scores, labels=rng.integers(0, num_classes, num)
            )
        )
    return frames


def random_relations(rng, frames):
    return [rng.uniform(0, 1, (len(a['scores']), len(b['scores']))) for a, b in zip(frames, frames[1:])]


def assert_close(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('seed', range(60))
def test_blr_and_tube_linking_equal_enumerating_all_paths(seed):
    """Several classes, unequal counts, frames without boxes."""
    rng = np.random.default_rng(seed)
    frames = random_video(rng, rng.integers(1, 7), 4, rng.integers(1, 4))
    relations = random_relations(rng, frames)
    assert_close(TubeLinking().link(frames), naive_linking.tube_linking(frames)[0])
    assert_close(BoxLinkingWithRelations().link(frames, relations), naive_linking.tube_linking(frames, relations)[0])


@pytest.mark.parametrize('seed', range(40))
def test_ties_are_broken_by_the_lower_index(seed):
    """Boxes on a grid, scores 0 or 1: many paths of equal sums."""
    rng = np.random.default_rng(seed)
    frames = random_video(rng, 5, 4, 2, ties=True)
    expected, paths = naive_linking.tube_linking(frames)
    linked = TubeLinking().trace(frames)
    assert_close(linked.scores, expected)
    found = {}
    for t, ids in enumerate(linked.track_ids):
        for i, track in enumerate(ids):
            if track >= 0:
                found.setdefault(int(track), []).append((t, i))
    assert sorted(found.values()) == sorted([(int(t), int(i)) for t, i in path] for path in paths)


@pytest.mark.parametrize('reduction', ['mean', 'max'])
@pytest.mark.parametrize('seed', range(30))
def test_seq_nms_equals_enumerating_all_sequences(seed, reduction):
    rng = np.random.default_rng(seed)
    frames = random_video(rng, rng.integers(1, 7), 4, 2, spread=15)
    assert_close(SeqNMS(reduction=reduction).link(frames), naive_linking.seq_nms(frames, reduction=reduction))


@pytest.mark.parametrize('max_gap', [0, 1, 2])
@pytest.mark.parametrize('seed', range(15))
def test_options_equal_enumerating_all_sequences(seed, max_gap):
    rng = np.random.default_rng(seed)
    frames = random_video(rng, 5, 3, 2, spread=15)
    assert_close(
        TubeLinking(min_iou=0.3, max_gap=max_gap).link(frames), naive_linking.gated_tube_linking(frames, 0.3, max_gap)
    )


def test_by_hand():
    """Two objects of one class that cross; one leaves a frame early."""
    near, far = [0, 0, 10, 10], [100, 0, 110, 10]
    frames = [
        dict(bboxes=[near, far], scores=[0.9, 0.2], labels=[0, 0]),
        dict(bboxes=[far, near], scores=[0.4, 0.5], labels=[0, 0]),
        dict(bboxes=[near], scores=[0.1], labels=[0]),
        dict(bboxes=[far, near], scores=[0.3, 0.7], labels=[1, 0]),
    ]
    # First track: near everywhere, .9 .5 .1 .7: best half .9 .7, mean .8. Then frame 2 is empty: far
    # of frames 0 and 1, best half .4.
    scores, ids, _ = TubeLinking().trace(frames)
    assert_close(scores, [[1.7, 0.6], [0.8, 1.3], [0.9], [0.3, 1.5]])
    assert [i.tolist() for i in ids] == [[1, 2], [2, 1], [1], [-1, 1]]


def test_relations_decide():
    """Equal scores and no overlap: the relation says who is who."""
    frames = [
        dict(bboxes=[[0, 0, 9, 9]], scores=[0.5], labels=[0]),
        dict(bboxes=[[20, 0, 29, 9], [40, 0, 49, 9]], scores=[0.5, 0.5], labels=[0, 0]),
    ]
    blr = BoxLinkingWithRelations()
    assert_close(blr.link(frames), [[1.0], [1.0, 0.5]])
    assert_close(blr.link(frames, [np.array([[0.0, 0.1]])]), [[1.0], [0.5, 1.0]])
    assert_close(blr.link(frames, [csr_array(np.array([[0.0, 0.1]]))]), [[1.0], [0.5, 1.0]])
    assert_close(blr.link(frames, [None]), [[1.0], [1.0, 0.5]])


def test_exp_of_omega_outweighs_overlap():
    """(.5 + .5 + 1) e^0 = 2 against (.5 + .5 + 0) e^.7 = 2.01."""
    frames = [
        dict(bboxes=[[0, 0, 10, 10]], scores=[0.5], labels=[3]),
        dict(bboxes=[[0, 0, 10, 10], [50, 0, 60, 10]], scores=[0.5, 0.5], labels=[3, 3]),
    ]
    for omega, expected in ((0.69, [1.0, 0.5]), (0.70, [0.5, 1.0])):
        relations = [np.array([[0, omega]])]
        assert_close(BoxLinkingWithRelations().link(frames, relations), [[1.0], expected])


linkers = pytest.mark.parametrize(
    'linker', [BoxLinkingWithRelations(), TubeLinking(), SeqNMS()], ids=lambda x: type(x).__name__
)


@linkers
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_order_within_a_frame_does_not_matter(linker, seed):
    rng = np.random.default_rng(seed)
    frames = random_video(rng, 6, 6)
    relations = random_relations(rng, frames)
    orders = [rng.permutation(len(f['scores'])) for f in frames]
    shuffled = [{k: v[o] for k, v in f.items()} for f, o in zip(frames, orders)]
    mixed = [r[a][:, b] for r, a, b in zip(relations, orders, orders[1:])]
    expected = [s[o] for s, o in zip(linker.link(frames, relations), orders)]
    assert_close(linker.link(shuffled, mixed), expected)


@linkers
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_time_reversal(linker, seed):
    rng = np.random.default_rng(seed)
    frames = random_video(rng, 6, 6)
    relations = random_relations(rng, frames)
    backward = linker.link(frames[::-1], [r.T for r in relations[::-1]])
    assert_close(backward[::-1], linker.link(frames, relations))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_one_frame_is_unchanged_and_so_are_single_boxes(seed):
    rng = np.random.default_rng(seed)
    frames = random_video(rng, 5, 5)
    for linker in (BoxLinkingWithRelations(), TubeLinking()):
        for frame in frames:
            np.testing.assert_array_equal(linker.link([frame])[0], frame['scores'])
        scores, ids, _ = linker.trace(frames)
        for frame, new, track in zip(frames, scores, ids, strict=True):
            np.testing.assert_array_equal(new[track < 0], frame['scores'][track < 0])
            assert (new[track >= 0] > frame['scores'][track >= 0]).all()


@linkers
def test_nothing_to_link(linker):
    empty = dict(bboxes=[], scores=[], labels=[])
    assert linker.link([]) == []
    assert [len(s) for s in linker.link([empty] * 3)] == [0, 0, 0]


@linkers
def test_scores_keep_their_type(linker):
    frames = random_video(np.random.default_rng(0), 4, 5)
    for frame in frames:
        frame['scores'] = frame['scores'].astype(np.float32)
    assert {s.dtype for s in linker.link(frames)} == {np.dtype('float32')}
    for frame in frames:  # in which sums from 1 to 2 have 1024 values
        frame['scores'] = frame['scores'].astype(np.float16)
    assert {s.dtype for s in linker.link(frames)} == {np.dtype('float32')}


@linkers
def test_lists_and_tensors_and_any_sparse_array(linker):
    rng = np.random.default_rng(0)
    frames = random_video(rng, 4, 5)
    relations = random_relations(rng, frames)
    expected = linker.link(frames, relations)
    for kind in (np.ndarray.tolist, torch.tensor):
        assert_close(
            linker.link([{k: kind(v) for k, v in f.items()} for f in frames], [kind(r) for r in relations]), expected
        )
    for kind in (csr_array, lil_array, dok_array):
        assert_close(linker.link(frames, [kind(r) for r in relations]), expected)


@pytest.mark.parametrize(
    'linker, search', [(TubeLinking(), naive_linking.research_tube_linking), (SeqNMS(), plain_seq_nms)]
)
@pytest.mark.parametrize('spread', [40, 120])
@pytest.mark.parametrize('ties', [False, True])
def test_long_videos(linker, search, spread, ties):
    """Equal to searches that start over after each path."""
    rng = np.random.default_rng(spread)
    frames = random_video(rng, 60, 9, 2, spread, ties)
    for t in (7, 8, 31):
        frames[t] = dict(bboxes=[], scores=[], labels=[])
    assert_close(linker.link(frames), search(frames))


@linkers
@pytest.mark.parametrize('seed', range(10))
def test_linked_videos_have_no_suppressed_boxes(linker, seed):
    """Only Seq-NMS suppresses any: those whose score the naive search sets to 0."""
    rng = np.random.default_rng(seed)
    frames = random_video(rng, 5, 4, 2, spread=15)
    scores = naive_linking.seq_nms(frames) if isinstance(linker, SeqNMS) else linker.link(frames)
    before = [FrameDetections(**frame, frame_id=t, video_id=0) for t, frame in enumerate(frames)]
    for t, (linked, frame) in enumerate(zip(link_video(linker, before), frames, strict=True)):
        kept = [i for i, score in enumerate(scores[t]) if score > 0]
        assert len(kept) == len(frame['scores']) or isinstance(linker, SeqNMS)
        np.testing.assert_array_equal(linked.bboxes, frame['bboxes'][kept])
        np.testing.assert_array_equal(linked.labels, frame['labels'][kept])
        np.testing.assert_allclose(linked.scores, np.array(scores[t])[kept], rtol=1e-12)
        np.testing.assert_array_equal(linked.unlinked_scores, frame['scores'][kept])
        assert linked.unlinked() is before[t]


def test_boxes_of_score_0_take_no_part_in_seq_nms():
    box = [0, 0, 10, 10]
    frames = [
        dict(bboxes=[box], scores=[0.8], labels=[0]),
        dict(bboxes=[box, [0, 1, 10, 10]], scores=[0, 0.4], labels=[0, 0]),
        dict(bboxes=[box], scores=[0], labels=[0]),
    ]
    assert_close(SeqNMS().link(frames), [[0.6], [0, 0.6], [0]])
    assert [kept.tolist() for kept in SeqNMS().trace(frames).kept] == [[True], [True, True], [True]]


@pytest.mark.slow
def test_cost_of_chains_that_merge_is_linear():
    """A weak chain ahead of strong pairs that are taken one by one: what is
    searched again in all is a few times the number of boxes."""
    relaxed = {}
    for length in (200, 800):
        frames, x = [], 0.0
        for t in range(length):
            boxes = [[x, 0, x + 30, 10]]
            scores = [1e-7]
            if t % 4 < 2:
                boxes.append([x + (19.8, 9.9)[t % 4], 0, 0, 10])
                boxes[1][2] = boxes[1][0] + 30
                scores.append((0.5, 1 - 1e-6 * (length - t))[t % 4])
            if t % 4 == 1:
                x -= 9.9
            frames.append(dict(bboxes=boxes, scores=scores, labels=[0] * len(boxes)))
        with counting_relaxations() as count:
            found = SeqNMS().link(frames)
        relaxed[length] = count[0] / sum(map(len, found))
        assert_close(found, plain_seq_nms(frames))
    assert relaxed[800] < 1.2 * relaxed[200] < 10


@contextlib.contextmanager
def counting_relaxations():
    """The path search in plain Python, its innermost step counted."""
    count, names = [0], ('_take_all', '_relax', '_follow', '_update_slot')
    compiled = {name: getattr(path_search, name) for name in names}

    def relax(*args):
        count[0] += 1
        return compiled['_relax'].py_func(*args)

    with pytest.MonkeyPatch.context() as patch:
        for name, function in compiled.items():
            patch.setattr(path_search, name, function.py_func)
        patch.setattr(path_search, '_relax', relax)
        yield count


@pytest.mark.parametrize(
    'change, match',
    [
        (dict(scores=[0.5]), r'frames\[1\]: scores must be \(2,\)'),
        (dict(labels=[0]), r'frames\[1\]: labels must be \(2,\)'),
        (dict(scores=[0.5, float('nan')]), r'frames\[1\]: scores must be finite, got nan'),
        (dict(scores=[0.5, -0.5]), r'frames\[1\]: scores must be 0 or more'),
        (dict(labels=[0.2, 1]), r'frames\[1\]: labels must be integers'),
        (dict(labels=['a', 'b']), r'frames\[1\]: labels must be numbers'),
        (dict(bboxes=[[0, 0, 1, 1], [0, 0, float('inf'), 1]]), r'frames\[1\]: bboxes must be finite'),
    ],
)
def test_bad_frames_are_named(change, match):
    frame = dict(bboxes=[[0, 0, 1, 1]] * 2, scores=[0.5, 0.5], labels=[0, 0])
    with pytest.raises(ValueError, match=match):
        TubeLinking().link([frame, dict(frame, **change)])
    with pytest.raises(ValueError, match=r"frames\[0\]: .* field 'labels'"):
        TubeLinking().link([dict(bboxes=[], scores=[])])


@pytest.mark.parametrize(
    'relations, match',
    [
        ([], 'relations must be 1, .* got 0'),
        ([np.zeros((1, 2))], r'relations\[0\] must be \(2, 2\), got \(1, 2\)'),
        ([np.full((2, 2), np.nan)], r'relations\[0\] must be finite'),
        ([np.full((2, 2), 1000.0)], r'relations\[0\] must be .* below 100'),
        ([[[1, 2]]], r'relations\[0\] must be \(2, 2\), got \(1, 2\)'),
    ],
)
def test_bad_relations_are_named(relations, match):
    frame = dict(bboxes=[[0, 0, 1, 1]] * 2, scores=[0.5, 0.5], labels=[0, 0])
    with pytest.raises(ValueError, match=match):
        BoxLinkingWithRelations().link([frame, frame], relations)


@pytest.mark.parametrize(
    'cfg, match',
    [
        (dict(type='TubeLinking', min_iou=2), 'min_iou'),
        (dict(type='TubeLinking', max_gap=-1), 'max_gap'),
        (dict(type='SeqNMS', nms_iou=0), 'nms_iou'),
        (dict(type='SeqNMS', reduction='sum'), 'reduction'),
    ],
)
def test_wrong_settings_are_named(cfg, match):
    with pytest.raises(ValueError, match=match):
        TASK_UTILS.build(cfg)
