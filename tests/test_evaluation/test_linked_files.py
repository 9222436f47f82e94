# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking of prediction files."""

import copy
import json

import pytest
import torch
from mmengine.structures import InstanceData

from helpers.vid_metric import add_relations, make_coco, make_samples, run, set_lengths, write
from mmrdn.evaluation import evaluate_predictions, link_predictions
from mmrdn.post_processing import SeqNMS


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


def test_linking_again_begins_with_the_scores_of_the_detector(predictions, run_main, tmp_path):
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
