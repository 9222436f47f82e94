# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking inside the metric and of prediction files."""

import copy
import json

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from test_vid_metric import CLASSES, expected_metrics, make_coco, make_samples, run, write

from helpers import naive_linking
from mmrdn.evaluation import VIDMetric, evaluate_predictions, link_predictions
from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.post_processing import BoxLinkingWithRelations, SeqNMS, VideoLinker
from mmrdn.post_processing.video_linker import pair_relations

BLR = dict(type='BoxLinkingWithRelations')


def add_relations(samples, seed=0, num_supports=4):
    """Records of ``NextFrameRelations``, and their meaning: (n, n')."""
    rng = np.random.default_rng(seed)
    expected = []
    for sample in samples:
        found = sample.pred_det_instances
        num = len(found)
        # Some of the boxes came from supports, two from the same.
        found.support_inds = torch.tensor(rng.integers(-1, num_supports, num), dtype=torch.long)
        kept = torch.tensor(sorted(rng.permutation(num)[: max(1, num - 1)]), dtype=torch.long)
        last = sample.frame_id == sample.video_length - 1
        sample.link_relations = InstanceData(
            metainfo=dict(next_frame_id=None if last else sample.frame_id + 1),
            detection_inds=kept[:num],
            weights=torch.tensor(rng.uniform(0, 1, (len(kept[:num]), 0 if last else num_supports))),
        )
    for a, b in zip(samples, samples[1:]):
        if a.video_id != b.video_id:
            expected.append(None)
            continue
        matrix = np.zeros((len(a.pred_det_instances), len(b.pred_det_instances)))
        noted = a.link_relations
        for row, i in enumerate(noted.detection_inds.tolist()):
            for j, place in enumerate(b.pred_det_instances.support_inds):
                if 0 <= place < noted.weights.shape[1]:
                    matrix[i, j] = noted.weights[row, place]
        expected.append(matrix)
    return expected


def by_video(samples, relations):
    """Frames and relations of each video."""
    videos = {}
    for t, sample in enumerate(samples):
        frames, pairs = videos.setdefault(sample.video_id, ([], []))
        found = sample.pred_det_instances
        frames.append({k: found[k].numpy() for k in ('bboxes', 'scores', 'labels')})
        if t < len(relations) and relations[t] is not None:
            pairs.append(relations[t])
    return videos.values()


def linked_naively(samples, relations, with_relations):
    """Copies of the samples with scores of the naive search."""
    scores = []
    for frames, pairs in by_video(samples, relations):
        new, _ = naive_linking.tube_linking(frames, pairs if with_relations else None)
        scores += new
    result = copy.deepcopy(samples)
    for sample, new in zip(result, scores):
        sample.pred_det_instances.scores = torch.tensor(new)
    return result


def set_lengths(samples):
    for sample in samples:
        length = sum(s.video_id == sample.video_id for s in samples)
        sample.set_metainfo(dict(video_length=length))


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
        # Frames of a video that goes on are not there yet.
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
    with pytest.warns(UserWarning, match='knows no relations'):
        run(samples, linker=BLR)


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


# ---------------------------------------------------------- prediction files


@pytest.fixture
def predictions(tmp_path):
    """A file that VIDMetric wrote, with relations; ground truth; samples."""
    coco = make_coco(3, lengths=(5, 3, 4))
    ann_file = write(tmp_path / 'gt.json', coco)
    samples = make_samples(coco, 3)
    set_lengths(samples)
    relations = add_relations(samples)
    run(copy.deepcopy(samples), ann_file=ann_file, outfile_prefix=str(tmp_path / 'run'))
    return tmp_path / 'run.predictions.json', ann_file, samples, relations


@pytest.mark.parametrize('linker', ['BoxLinkingWithRelations', 'TubeLinking'])
def test_files_are_linked_as_in_the_metric(predictions, linker, run_main, tmp_path):
    path, ann_file, samples, _ = predictions
    out = tmp_path / 'linked.json'
    status, stdout, _ = run_main('analysis_tools/link_predictions.py', path, '--out', out, '--linker', linker)
    assert status == 0 and f'linked by {linker}: {out}' in stdout
    metrics = run(copy.deepcopy(samples), ann_file=ann_file, linker=dict(type=linker))
    found, _ = evaluate_predictions(str(out), ann_file)
    for key, value in found.items():
        assert value == pytest.approx(metrics[key], abs=1e-4, nan_ok=True)


def test_a_linked_run_writes_linked_scores_and_tracks(tmp_path):
    coco = make_coco(3, lengths=(5, 3, 4))
    ann_file = write(tmp_path / 'gt.json', coco)
    samples = make_samples(coco, 3)
    set_lengths(samples)
    prefix = str(tmp_path / 'run')
    metrics = run(samples, ann_file=ann_file, outfile_prefix=prefix, linker=dict(type='TubeLinking', min_iou=0.1))
    found, _ = evaluate_predictions(f'{prefix}.predictions.json', ann_file)
    assert found['vid/mAP50'] == metrics['vid/mAP50']
    content = json.loads((tmp_path / 'run.predictions.json').read_text())
    assert content['info']['linker'] == 'TubeLinking'
    tracks = {}
    for ann in content['annotations']:
        if 'instance_id' in ann:
            tracks.setdefault((ann['video_id'], ann['instance_id']), []).append(ann['image_id'])
    assert len(tracks) > 3
    assert all(len(set(images)) == len(images) > 1 for images in tracks.values())


def test_linking_anew_begins_with_the_scores_of_the_detector(predictions, run_main, tmp_path):
    """Also from what a run with a linker wrote."""
    path, ann_file, samples, _ = predictions
    prefix = str(tmp_path / 'online')
    run(copy.deepcopy(samples), ann_file=ann_file, outfile_prefix=prefix, linker=dict(type='SeqNMS'))
    tool, files = 'analysis_tools/link_predictions.py', []
    for source in (path, f'{prefix}.predictions.json'):
        assert run_main(tool, source, '--linker', 'BoxLinkingWithRelations')[0] == 0
        out = tmp_path / f'{str(source)[: -len(".json")]}.linked.json'
        files.append(json.loads(out.read_text())['annotations'])
    assert files[0] == files[1]
    raw = json.loads(path.read_text())['annotations']
    assert [a['unlinked_score'] for a in files[0]] == [a['score'] for a in raw]
    assert any(a['score'] > 1 for a in files[0])


def test_suppressed_boxes_do_not_count(tmp_path):
    """Two objects, both found; Seq-NMS takes one out, so half of them is found."""
    coco, boxes = make_coco(lengths=(2,)), [[0, 0, 99, 99], [30, 0, 99, 99]]  # IoU 0.54
    coco['annotations'] = [
        dict(id=1 + 2 * t + i, image_id=image['id'], video_id=1, category_id=2, instance_id=i, bbox=box, iscrowd=0)
        for t, image in enumerate(coco['images'])
        for i, box in enumerate(boxes)
    ]
    ann_file, samples = write(tmp_path / 'gt.json', coco), make_samples(coco)
    set_lengths(samples)
    for sample in samples:
        sample.pred_det_instances = InstanceData(
            bboxes=torch.tensor([[0, 0, 99, 99], [30, 0, 129, 99]]).float(),
            scores=torch.tensor([0.75, 0.5]),
            labels=torch.zeros(2, dtype=torch.long),
        )
    options = dict(ann_file=ann_file, linker=dict(type='SeqNMS'))
    metrics = run(copy.deepcopy(samples), outfile_prefix=str(tmp_path / 'run'), **options)
    assert metrics['vid/mAP50'] == metrics['vid/mAP50_slow'] == 0.5
    assert metrics['vid/mAP50_unlinked'] == metrics['vid/mAP50_slow_unlinked'] == 1.0
    run(samples, ann_file=ann_file, outfile_prefix=str(tmp_path / 'raw'))
    link_predictions(str(tmp_path / 'raw.predictions.json'), SeqNMS())
    for name in ('run.predictions.json', 'raw.predictions.linked.json'):
        content = json.loads((tmp_path / name).read_text())
        assert [a['score'] for a in content['annotations']] == [0.75, 0.75]
        assert [a['unlinked_score'] for a in content['annotations']] == [0.75, 0.75]
        assert [(a['id'], a['score']) for a in content['suppressed']] == [(2, 0.5), (4, 0.5)]
        assert evaluate_predictions(str(tmp_path / name), ann_file)[0]['vid/mAP50'] == 0.5


@pytest.mark.parametrize(
    'change, match',
    [
        (dict(suppressed={}), "'suppressed' must be a list"),
        (dict(suppressed=[3]), r'suppressed\[0\] must be an object'),
        (dict(suppressed=[dict(id='x')]), r"suppressed\[0\]: 'id' must be an integer"),
        (dict(suppressed=[dict(id=1)]), "must have the field 'image_id'"),
    ],
)
def test_bad_suppressed_boxes_are_named(predictions, change, match, tmp_path):
    content = json.loads(predictions[0].read_text()) | change
    with pytest.raises(ValueError, match=f'bad.json.*{match}'):
        link_predictions(write(tmp_path / 'bad.json', content), SeqNMS())


def test_bad_files_are_named(predictions, run_main, tmp_path):
    path, _, _, _ = predictions
    out, tool = tmp_path / 'linked.json', 'analysis_tools/link_predictions.py'
    bad = tmp_path / 'bad.json'

    def fails(source, *options):
        status, _, stderr = run_main(tool, source, '--out', out, '--linker', 'TubeLinking', *options)
        assert status == 1 and stderr.count('\n') == 1
        assert not out.exists()
        return stderr

    def fails_with(change):
        content = json.loads(path.read_text())
        change(content)
        bad.write_text(json.dumps(content))
        return fails(bad)

    def related(content):
        return next(a for a in content['annotations'] if a.get('relations'))

    assert 'nowhere.json does not exist' in fails(tmp_path / 'nowhere.json')
    for wrong in ([[10**6, 0.5]], 3, [[[1], 0.4]], [[1]], [[1, 'x']]):
        assert "'relations' must be pairs of an annotation id" in fails_with(
            lambda content: related(content).update(relations=wrong)
        )
    assert f'{bad}: video 1, frame 0, img_id 11: ' in fails_with(
        lambda content: content['annotations'][0].update(score=-0.5)
    )
    assert "must have the field 'video_id'" in fails_with(lambda content: content['images'][0].pop('video_id'))
    assert 'video 1: frame 2 comes after frame 0' in fails_with(
        lambda content: content['images'][1].update(frame_id=0, video_id=9)
    )
    assert 'video 1: frame 0 comes after frame 0' in fails_with(lambda content: content['images'][1].update(frame_id=0))
    status, _, stderr = run_main(tool, path, '--linker', 'Nothing')
    assert status == 1 and stderr == (
        'error: there is no box linker Nothing, expected one of BoxLinkingWithRelations, SeqNMS, TubeLinking\n'
    )
    status, _, stderr = run_main(tool, path, '--linker', 'TopSupports')
    assert status == 1 and 'TopSupports must be a box linker' in stderr


def test_files_that_are_there_are_kept(predictions, run_main, tmp_path):
    path, _, _, _ = predictions
    out, tool = tmp_path / 'a.json', 'analysis_tools/link_predictions.py'
    args = [tool, path, '--out', out, '--linker', 'TubeLinking']
    out.write_text('mine')
    status, _, stderr = run_main(*args)
    assert status == 1 and f'{out} exists' in stderr
    assert out.read_text() == 'mine'
    assert run_main(*args, '--overwrite')[0] == 0
    assert json.loads(out.read_text())['info']['linker'] == 'TubeLinking'
