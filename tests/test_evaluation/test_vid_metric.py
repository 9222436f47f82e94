# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import json
import math
import multiprocessing
import os

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from helpers.naive_vid_map import RANGES
from helpers.vid_metric import CLASSES, expected_metrics, make_coco, make_samples, run, write
from mmrdn.evaluation import VIDMetric, evaluate_predictions


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('from_file', [True, False])
def test_equals_the_functions(seed, from_file, tmp_path):
    coco = make_coco(seed)
    samples = make_samples(coco, seed)
    ann_file = write(tmp_path / 'a.json', coco) if from_file else None
    metrics = run(samples, ann_file=ann_file)
    expected = expected_metrics(coco, samples)
    assert metrics.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(metrics[key], value, atol=0.5001e-4)


def test_results_in_any_portions_and_old_key():
    samples = make_samples(make_coco())
    whole = run(samples)
    parts = run(samples, key='CLASSES', chunks=[0, 1, 0, 0, 11, 3])
    assert whole['vid/mAP50'] > 0
    np.testing.assert_equal(parts, whole)


def test_options_are_passed_on():
    samples = make_samples(make_coco())
    metrics = run(samples, motion_ranges=dict(any=(0, 1)), classwise=False, prefix='x')
    assert set(metrics) == {'x/mAP50', 'x/mAP50_any'}
    assert metrics['x/mAP50_any'] == metrics['x/mAP50']
    strict = run(samples, iou_thr=0.95, pixel_tolerance=0, motion_ranges=None)
    assert strict['vid/mAP50'] < metrics['x/mAP50']


@pytest.mark.parametrize('new', [lambda i: i - 1, lambda i: -i, lambda i: f'object {i}'])
def test_instance_ids_may_be_0_or_text(new, tmp_path):
    """They tell objects of a video apart, nothing else."""
    coco = make_coco(seed=2)
    samples = make_samples(coco, 2)
    expected = run(samples, ann_file=write(tmp_path / 'a.json', coco))
    for entry in coco['annotations']:
        entry['instance_id'] = new(entry['instance_id'])
    np.testing.assert_equal(run(samples, ann_file=write(tmp_path / 'b.json', coco)), expected)
    assert expected['vid/mAP50_fast'] > 0


def test_table():
    coco = make_coco()
    coco['annotations'] = [ann for ann in coco['annotations'] if ann['category_id'] != 5]
    metric = VIDMetric()
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process(None, [sample.to_dict() for sample in make_samples(coco)])
    metrics, table = metric.score(metric.results)
    rows = {
        row.split('|')[1].strip(): [x.strip() for x in row.split('|')[2:-1]]
        for row in table.splitlines()
        if row.startswith('|')
    }
    num_cats = sum(ann['category_id'] == 2 for ann in coco['annotations'])
    assert rows['class'] == ['#gt', 'AP50', 'AP50_fast', 'AP50_medium', 'AP50_slow']
    assert rows['cat'][0] == str(num_cats)
    assert float(rows['cat'][1]) == metrics['AP50/cat']
    assert rows['dog'][:2] == ['0', 'nan']
    assert math.isnan(metrics['AP50/dog'])
    assert float(rows['mean'][1]) == metrics['mAP50']


@pytest.mark.parametrize('from_file', [True, False])
def test_flagged_and_empty_boxes_are_left_out(from_file, tmp_path):
    coco = make_coco()
    samples = make_samples(coco)
    expected = run(samples)
    image = coco['images'][0]
    extra = [
        dict(bbox=[50, 50, 40, 40], iscrowd=1),
        dict(bbox=[50, 50, -0.5, 40], iscrowd=0),
        dict(bbox=[500, 50, 40, 40], iscrowd=0),
        dict(bbox=[-41, 50, 40, 40], iscrowd=0),
    ]
    for i, ann in enumerate(extra):
        coco['annotations'].append(dict(ann, id=1000 + i, image_id=image['id'], category_id=2, instance_id=100 + i))
        x, y, w, h = ann['bbox']
        samples[0].instances.append(
            dict(bbox=[x, y, x + w, y + h], bbox_label=0, instance_id=100 + i, ignore_flag=ann['iscrowd'])
        )
    for ann in (dict(ignore=1, bbox=[1, 1, 9, 9]), dict(), dict(bbox=None), dict(bbox=[1, 1, 9, 9], area=0)):
        coco['annotations'].append(dict(ann, id=2000, image_id=image['id'], category_id=2))
    ann_file = write(tmp_path / 'a.json', coco) if from_file else None
    np.testing.assert_equal(run(samples, ann_file=ann_file), expected)


@pytest.mark.parametrize('from_file', [True, False])
@pytest.mark.parametrize('box', [[50, 20, 0, 40], [50, 20, 40, 0], [50, 20, 0, 0], [-5, 20, 5, 40]])
def test_boxes_of_a_pixel_are_ground_truth(box, from_file, tmp_path):
    """Inclusive pixels: x1 == x2 is a box of one pixel, and x2 == 0 the first column."""
    x, y, w, h = box
    coco = make_coco(lengths=(1,))
    image = coco['images'][0]
    common = dict(image_id=image['id'], video_id=1, category_id=2, iscrowd=0)
    coco['annotations'] = [
        dict(common, id=1, instance_id=1, bbox=[100, 100, 40, 40], area=1600),
        dict(common, id=2, instance_id=2, bbox=box, area=w * h),
    ]
    ann_file = write(tmp_path / 'a.json', coco) if from_file else None
    (sample,) = make_samples(coco)
    for boxes, expected in (([[100, 100, 140, 140]], 0.5), ([[100, 100, 140, 140], [x, y, x + w, y + h]], 1.0)):
        num = len(boxes)
        sample.pred_det_instances = InstanceData(
            bboxes=torch.tensor(boxes).float(), scores=torch.ones(num), labels=torch.zeros(num, dtype=torch.long)
        )
        assert run([sample], ann_file=ann_file)['vid/mAP50'] == expected


def test_repeated_frame_counts_once():
    samples = make_samples(make_coco())
    np.testing.assert_equal(run(samples + samples[:2]), run(samples))
    samples.append(copy.deepcopy(samples[0]))
    samples[-1].pred_det_instances.scores = samples[0].pred_det_instances.scores + 1
    with pytest.raises(ValueError, match='img_id 11.*twice.*scores'):
        run(samples)


def test_missing_and_foreign_frames(tmp_path):
    coco = make_coco()
    samples = make_samples(coco)
    ann_file = write(tmp_path / 'a.json', coco)
    with pytest.raises(ValueError, match='3 of 15 frames have no prediction, the first is img_id 12'):
        run([samples[0]] + samples[4:], ann_file=ann_file)
    samples[0].set_metainfo(dict(img_id=99))
    del coco['images'][0]
    coco['annotations'] = [a for a in coco['annotations'] if a['image_id'] > 11]
    with pytest.raises(ValueError, match='1 of 15 .*not in it.*img_id 99'):
        run(samples, ann_file=write(tmp_path / 'b.json', coco))
    with pytest.raises(ValueError, match='no predictions at all'):
        run([])


def test_unknown_class_stops_before_the_run(tmp_path):
    metric = VIDMetric(ann_file=write(tmp_path / 'a.json', make_coco()))
    with pytest.raises(ValueError, match="no category 'yak'"):
        metric.dataset_meta = dict(classes=('cat', 'yak'))
    with pytest.raises(ValueError, match="'classes'"):
        metric.dataset_meta = dict(task='vid')


def test_some_classes_of_the_file(tmp_path):
    coco = make_coco()
    samples = make_samples(coco)
    for sample in samples:
        keep = sample.pred_det_instances.labels < 2
        sample.pred_det_instances = sample.pred_det_instances[keep]
    ann_file = write(tmp_path / 'a.json', coco)
    two = run(samples, classes=CLASSES[:2], ann_file=ann_file)
    three = run(samples, ann_file=ann_file)
    assert 'vid/AP50/owl' not in two
    np.testing.assert_equal(two['vid/AP50/dog'], three['vid/AP50/dog'])


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(scores=torch.tensor([math.nan])), 'img_id 11: scores must be finite, got nan'),
        (dict(labels=torch.tensor([3])), 'img_id 11: labels must be .* 0 to 2'),
    ],
)
def test_bad_prediction(change, message):
    samples = make_samples(make_coco())
    values = dict(bboxes=torch.zeros(1, 4), scores=torch.ones(1), labels=torch.zeros(1, dtype=torch.long))
    samples[0].pred_det_instances = InstanceData(**dict(values, **change))
    with pytest.raises(ValueError, match=message):
        run(samples)


def test_missing_field_is_named():
    sample = make_samples(make_coco())[0].to_dict()
    for field in ('img_id', 'video_id', 'instances', 'pred_det_instances'):
        metric = VIDMetric()
        with pytest.raises(ValueError, match=f"data sample.*'{field}'"):
            metric.process(None, [{k: v for k, v in sample.items() if k != field}])


@pytest.mark.parametrize('from_file', [True, False])
def test_dump_evaluates_to_the_same(from_file, tmp_path):
    coco = make_coco(3)
    # Box linking may leave [0, 1].
    samples = make_samples(coco, 3)
    samples[2].pred_det_instances.scores += 1
    ann_file = write(tmp_path / 'a.json', coco)
    metrics = run(
        samples,
        ann_file=ann_file if from_file else None,
        outfile_prefix=str(tmp_path / 'new' / 'out'),
        iou_thr=0.6,
        motion_ranges=dict(RANGES, all=(0, 1)),
    )
    path = tmp_path / 'new' / 'out.predictions.json'
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    again, table = evaluate_predictions(str(path), ann_file)
    np.testing.assert_equal(again, metrics)
    assert 'vid/mAP50_all' in again and 'owl' in table

    dumped = json.loads(path.read_text())
    assert [len(dumped[k]) for k in ('videos', 'images')] == [3, 15]
    assert [c['name'] for c in dumped['categories']] == list(CLASSES)
    pred = samples[2].pred_det_instances
    mine = [ann for ann in dumped['annotations'] if ann['image_id'] == samples[2].img_id]
    assert [ann['score'] for ann in mine] == pred.scores.tolist()
    x1, y1, x2, y2 = pred.bboxes[0].tolist()
    np.testing.assert_allclose(mine[0]['bbox'], [x1, y1, x2 - x1, y2 - y1], rtol=1e-12)


def test_dump_is_never_overwritten(tmp_path):
    samples = make_samples(make_coco())
    prefix = str(tmp_path / 'out')
    metric = VIDMetric(outfile_prefix=prefix)
    metric.dataset_meta = dict(classes=CLASSES)
    for _ in range(2):
        metric.process(None, [sample.to_dict() for sample in samples])
        metric.evaluate(len(samples))
    names = ['out.2.predictions.json', 'out.predictions.json']
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    with pytest.raises(FileExistsError, match='out.predictions.json exists'):
        VIDMetric(outfile_prefix=prefix)


def evaluate_rank(rank, portions, queue, workdir):
    """One of two processes with its own share of the frames."""
    os.chdir(workdir)
    torch.distributed.init_process_group('gloo', init_method=f'file://{workdir}/store', rank=rank, world_size=2)
    queue.put((rank, run(portions[rank])))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    samples = make_samples(make_coco(lengths=(11, 2)))
    # Whole videos, so unevenly; the second rank repeats a frame as padding.
    portions = [samples[:11], samples[11:] + samples[:1]]
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    processes = [context.Process(target=evaluate_rank, args=(rank, portions, queue, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    try:
        results = dict(queue.get(timeout=60) for _ in processes)
    finally:
        for process in processes:
            process.join(5)
            process.kill()
    expected = run(samples)
    np.testing.assert_equal(results, {0: expected, 1: expected})
