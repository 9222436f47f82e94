# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking inside the metric."""

import copy

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from helpers import naive_linking
from helpers.vid_metric import (
    CLASSES,
    add_relations,
    by_video,
    expected_metrics,
    linked_naively,
    make_coco,
    make_samples,
    run,
    set_lengths,
    write,
)
from mmrdn.evaluation import VIDMetric
from mmrdn.evaluation.linkers import build_linker
from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.post_processing import BoxLinkingWithRelations, VideoLinker
from mmrdn.post_processing.video_linker import pair_relations

BLR = dict(type='BoxLinkingWithRelations')


@pytest.mark.parametrize('from_file', [True, False])
@pytest.mark.parametrize('linker', ['BoxLinkingWithRelations', 'TubeLinking'])
def test_metric_before_and_after_linking(linker, from_file, tmp_path):
    coco = make_coco(3, lengths=(5, 3, 4))
    samples = make_samples(coco, 3)
    set_lengths(samples)
    relations = add_relations(samples)
    ann_file = write(tmp_path / 'a.json', coco) if from_file else None
    before = expected_metrics(copy.deepcopy(coco), samples)
    after = expected_metrics(coco, linked_naively(samples, relations, linker == 'BoxLinkingWithRelations'))
    metrics = run(copy.deepcopy(samples), ann_file=ann_file, linker=dict(type=linker))
    assert before['vid/mAP50'] != pytest.approx(after['vid/mAP50'], abs=1e-3)
    for key, value in after.items():
        assert metrics[key] == pytest.approx(value, abs=1e-4, nan_ok=True)
        if 'mAP50' in key:
            assert metrics[f'{key}_unlinked'] == pytest.approx(before[key], abs=1e-4, nan_ok=True)


def test_relations_make_a_difference():
    """Otherwise the test above would not see them."""
    samples = make_samples(make_coco(3, lengths=(5, 3, 4)), 3)
    set_lengths(samples)
    relations = add_relations(samples)
    with_them, without = (
        torch.cat([s.pred_det_instances.scores for s in linked_naively(samples, relations, flag)])
        for flag in (True, False)
    )
    assert (with_them - without).abs().max() > 0.05


def test_videos_are_linked_and_freed_when_their_last_frame_arrives():
    samples = make_samples(make_coco(1, lengths=(3, 2)), 1)
    set_lengths(samples)
    add_relations(samples)
    metric = VIDMetric(linker=BLR)
    metric.dataset_meta = dict(classes=CLASSES)
    for t, sample in enumerate(samples):
        metric.process(None, [sample.to_dict()])
        # Frames of an unfinished video are not there yet.
        assert len(metric.results) == (0, 0, 3, 3, 5)[t]
        assert all(result['frame'].unlinked_scores is not None for result in metric.results)
    for result in metric.results:
        assert result['frame'].next_weights is None and result['frame'].relations is None


def test_a_video_cut_short_is_linked_too():
    """Its last frame never comes: linked when the evaluation begins."""
    samples = make_samples(make_coco(2, lengths=(4,)), 2)  # of 9, they say
    expected = linked_naively(samples, [None] * 4, False)
    metrics = run(samples, linker=dict(type='TubeLinking'))
    unlinked = run(expected)
    assert metrics['vid/mAP50'] == unlinked['vid/mAP50']


@pytest.mark.parametrize('field', ['video_id', 'frame_id'])
def test_linking_needs_to_know_the_video(field):
    sample = make_samples(make_coco(1, lengths=(2,)), 1)[0].to_dict()
    del sample[field]
    metric = VIDMetric(linker=BLR)
    with pytest.raises(ValueError, match=f"must have the field '{field}'"):
        metric.process(None, [sample])


def test_frames_are_linked_as_they_come():
    samples = make_samples(make_coco(3, lengths=(5,)), 3)
    set_lengths(samples)
    relations = add_relations(samples)
    expected = linked_naively(samples, relations, True)
    ((frames, pairs),) = by_video(samples, relations)
    _, tracks = naive_linking.tube_linking(frames, pairs)
    linker = VideoLinker(BoxLinkingWithRelations())
    linked = [frame for sample in samples for frame in linker.add(to_frame_detections(sample))] + linker.finish()
    for frame, sample, other in zip(linked, samples, expected):
        np.testing.assert_allclose(frame.scores, other.pred_det_instances.scores, rtol=1e-5)
        np.testing.assert_array_equal(frame.unlinked_scores, sample.pred_det_instances.scores)
    of_track = {}
    for t, frame in enumerate(linked):
        for i, track in enumerate(frame.track_ids):
            if track >= 0:
                of_track.setdefault(int(track), []).append((t, i))
    assert sorted(of_track.values()) == sorted(tracks)


def test_a_frame_that_is_missing_is_refused():
    """A rank that has every second frame, say."""
    samples = make_samples(make_coco(1, lengths=(4,)), 1)
    metric = VIDMetric(linker=BLR)
    metric.process(None, [samples[0].to_dict()])
    with pytest.raises(ValueError, match='frame 2 of video 1 came after frame 0: .* VideoSampler'):
        metric.process(None, [samples[2].to_dict()])


def test_relations_to_another_frame_are_not_taken():
    """The metric sees fewer frames than the model did."""
    samples = make_samples(make_coco(1, lengths=(4,)), 1)
    add_relations(samples)
    a, b, c, _ = map(to_frame_detections, samples)
    assert pair_relations(a, b) is not None
    assert pair_relations(a, c) is None


def test_padding_of_a_rank_does_not_undo_linking():
    """A repeated frame is a video of its own, which nothing links."""
    samples = make_samples(make_coco(1, lengths=(4, 3)), 1)
    set_lengths(samples)
    expected = run(copy.deepcopy(samples), linker=dict(type='TubeLinking'))
    for place in (0, len(samples)):  # before and behind the others
        padded = copy.deepcopy(samples)
        padded.insert(place, copy.deepcopy(samples[1]))
        assert run(padded, linker=dict(type='TubeLinking')) == pytest.approx(expected, nan_ok=True)


def test_relations_that_nobody_reads_are_not_kept(tmp_path):
    samples = make_samples(make_coco(1, lengths=(3,)), 1)
    set_lengths(samples)
    add_relations(samples)
    for options, kept in (
        (dict(), False),
        (dict(linker=dict(type='SeqNMS')), False),
        (dict(outfile_prefix=str(tmp_path / 'a')), True),
    ):
        metric = VIDMetric(**options)
        metric.process(None, [s.to_dict() for s in samples[:2]])
        frames = [result['frame'] for result in metric.results] or metric._linking.finish()
        assert (frames[0].relations is not None) == kept
        assert frames[0].next_weights is None


def test_blr_without_relations_warns():
    samples = make_samples(make_coco(1, lengths=(3,)), 1)
    with pytest.warns(UserWarning, match='has no relations'):
        run(samples, linker=BLR)


def test_linkers_need_no_prefix_beside_a_detector_of_mmtrack():
    with DefaultScope.overwrite_default_scope('mmtrack'):
        assert isinstance(build_linker(BLR), BoxLinkingWithRelations)


@pytest.mark.parametrize(
    'linker, match',
    [
        ('SeqNMS', 'linker must be a dict such as'),
        ({}, 'linker must be a dict such as'),
        (dict(type='NextFrameRelations'), 'must be a box linker such as'),
    ],
)
def test_what_is_no_linker_is_refused(linker, match):
    with pytest.raises(ValueError, match=match):
        VIDMetric(linker=linker)
