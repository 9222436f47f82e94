# Copyright (c) mmrdn contributors. All rights reserved.
"""Wrappers of data sets: seeds of samples, and validation on several files."""

import itertools
import json
import random

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from mmrdn.datasets import SeededIndex, SeededInfiniteSampler, VideoSampler
from mmrdn.engine.run_checks import unseeded_parts
from mmrdn.evaluation import VIDMetric
from mmrdn.registry import DATASETS


def content(lengths=(9, 30), seed=0):
    """Videos with a dog in every frame and, at the end of each, a cat."""
    rng = np.random.default_rng(seed)
    data = dict(categories=[dict(id=7, name='dog'), dict(id=3, name='cat')], videos=[], images=[], annotations=[])
    for video_id, length in enumerate(lengths, 1):
        data['videos'].append(dict(id=video_id))
        for frame_id in range(length):
            number = len(data['images'])
            data['images'].append(
                dict(id=number, file_name='x.png', height=90, width=99, video_id=video_id, frame_id=frame_id)
            )
            for category in (7, 3) if frame_id == length - 1 else (7,):
                box = [*rng.integers(0, 40, 2).tolist(), 30, 40]
                data['annotations'].append(dict(image_id=number, category_id=category, instance_id=category, bbox=box))
    return data


@pytest.fixture
def part(tmp_path):
    """Config of a data set without images, whose samples are what was drawn."""

    def make(name='a', data=None, **kwargs):
        path = tmp_path / f'{name}.json'
        path.write_text(json.dumps(data or content()))
        sampler = dict(num_ref_imgs=2, frame_range=8, filter_key_img=True, method='uniform')
        options = dict(type='VideoDetDataset', ann_file=str(path), metainfo=dict(classes=('cat', 'dog')))
        return dict(options, ref_img_sampler=sampler, pipeline=[]) | kwargs

    return make


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmrdn'):
        return DATASETS.build(cfg)


def drawn(dataset, workers=0, skip=0, count=24):
    """Key and support frames of the samples of a training, maybe of one that is resumed."""
    sampler = SeededInfiniteSampler(dataset, seed=3)
    sampler.indices = itertools.islice(sampler.indices, skip, None)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=workers, collate_fn=list)
    batches = itertools.islice(iter(loader), count // 4)
    return [(sample['img_path'][0], *sample['img_id']) for batch in batches for sample in batch]


WRAPPERS = [
    lambda part: dict(type='RepeatDataset', dataset=part(), times=3),
    lambda part: dict(type='ClassBalancedDataset', dataset=part(), oversample_thr=0.5),
    lambda part: dict(type='ConcatDataset', datasets=[part(), part('b', content((20,)))]),
    lambda part: dict(type='RandomSampleConcatDataset', datasets=[part(), part('b', content((20,)))]),
    lambda part: dict(type='mmengine.RepeatDataset', dataset=part(), times=3),
    lambda part: dict(
        type='RepeatDataset',
        dataset=dict(type='ClassBalancedDataset', oversample_thr=0.5, dataset=WRAPPERS[2](part)),
        times=2,
    ),
    lambda part: dict(type='ConcatDataset', datasets=[WRAPPERS[0](part), part('b', content((20,)))]),
    lambda part: dict(type='ConcatDataset', datasets=[part('b', content((20,))), WRAPPERS[1](part)]),
    lambda part: dict(type='ClassBalancedDataset', dataset=WRAPPERS[0](part), oversample_thr=0.5),
]


@pytest.mark.slow
@pytest.mark.parametrize('number', range(len(WRAPPERS)))
def test_samples_depend_on_their_position_alone(number, part):
    """Neither on workers nor on what was drawn before a training was resumed."""
    dataset = build(WRAPPERS[number](part))
    random.seed(1), np.random.seed(1)
    whole = drawn(dataset)
    random.seed(2), np.random.seed(2)
    assert drawn(dataset) == whole
    assert drawn(dataset, workers=2) == whole
    assert drawn(dataset, skip=8, count=16) == whole[8:]
    assert len(set(whole)) > 12
    assert unseeded_parts(DataLoader(dataset, sampler=SeededInfiniteSampler(dataset))) == []


def test_seeds_are_those_of_the_position(part):
    """The draws of the second repetition, by hand."""
    dataset, repeated = build(part()), build(dict(type='RepeatDataset', dataset=part(), times=3))
    SeededIndex(0, seed=3, position=17).seed_generators()
    expected = dataset[5]['img_id']
    assert repeated[SeededIndex(5 + 39, seed=3, position=17)]['img_id'] == expected
    index = SeededIndex(44, seed=3, position=17) % 39
    assert (index, index.seed, index.position) == (5, 3, 17)


def test_data_sets_that_do_not_seed_are_named(part):
    inner = dict(type='mmengine.ClassBalancedDataset', dataset=part(), oversample_thr=0.5)
    for cfg in (inner, dict(type='mmengine.RepeatDataset', dataset=inner, times=2)):
        stranger = build(cfg)
        assert unseeded_parts(DataLoader(stranger, sampler=SeededInfiniteSampler(stranger, seed=0))) == [
            'ClassBalancedDataset does not seed its samples, derive it from mmrdn.datasets.SeededSamples'
        ]


def test_rare_classes_of_several_files(part):
    """Cats are in 4 of 59 frames: sqrt(0.5 / (4 / 59)) = 2.7, rounded up to 3 times."""
    inner = dict(type='ConcatDataset', datasets=[part(), part('b', content((10, 10)))])
    dataset = build(dict(type='ClassBalancedDataset', dataset=inner, oversample_thr=0.5))
    assert len(dataset) == 59 + 4 * 2


def test_wrappers_in_wrappers(part):
    """Cats are in 2 of 39 frames, 6 of 117: sqrt(0.5 / (2 / 39)) = 3.1, rounded up to 4 times."""
    repeated = build(WRAPPERS[0](part))
    assert [i for i in range(117) if 0 in repeated.get_cat_ids(i)] == [8, 38, 47, 77, 86, 116]
    lengths = [len(build(WRAPPERS[number](part))) for number in (6, 7, 8)]
    assert lengths == [117 + 20, 20 + 39 + 2 * 3, 117 + 6 * 3]


# ----------------------------------------------------------------- validation


def build_for_testing(part, name, data, **kwargs):
    pack = dict(type='PackTrackInputs', pack_single_img=True)
    return part(name, data, test_mode=True, ref_img_sampler=None, pipeline=[pack], **kwargs)


def evaluate(dataset, ann_file=None):
    """Measure detections that follow from the ground truth of a frame."""
    metric = VIDMetric(ann_file=ann_file)
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dataset.metainfo
    for index in VideoSampler(dataset):
        sample = dataset[index]['data_samples']
        rng = np.random.default_rng(int(sum(map(sum, (i['bbox'] for i in sample.instances)))))
        boxes = np.array([i['bbox'] for i in sample.instances]) + rng.normal(0, 6, (len(sample.instances), 4))
        labels = np.array([i['bbox_label'] for i in sample.instances])
        sample.pred_det_instances = InstanceData(bboxes=boxes, scores=rng.random(len(boxes)), labels=labels)
        evaluator.process([sample])
    return evaluator.evaluate(len(dataset))


def test_validation_on_several_files(part):
    """As on one file of all videos, though both number their images from 0 and their videos from 1."""
    first, second = content(seed=1), content((5, 7), seed=2)
    both = build(
        dict(type='ConcatDataset', datasets=[build_for_testing(part, 'a', first), build_for_testing(part, 'b', second)])
    )
    merged = json.loads(json.dumps(first))
    for name in ('videos', 'images', 'annotations'):
        for entry in json.loads(json.dumps(second[name])):
            entry.update({key: entry[key] + 100 for key in ('id', 'image_id', 'video_id') if key in entry})
            merged[name].append(entry)
    expected = evaluate(build(build_for_testing(part, 'c', merged)))
    assert 0 < expected['vid/mAP50'] < 1 and expected['vid/mAP50_fast'] > 0
    np.testing.assert_equal(evaluate(both), expected)
    # By the files too, of which one has its classes in another order and one more.
    second['categories'] = [dict(id=1, name='cow'), dict(id=2, name='cat'), dict(id=9, name='dog')]
    for entry in second['annotations']:
        entry['category_id'] = {3: 2, 7: 9}[entry['category_id']]
    files = [build_for_testing(part, name, data)['ann_file'] for name, data in (('a', first), ('b', second))]
    np.testing.assert_equal(evaluate(both, files), expected)
    with pytest.raises(ValueError, match='a.json: 39 of 39 frames have no prediction, the first is img_id 0'):
        evaluate(both, files[0])
    second['images'][3]['frame_id'] = 'x'
    with pytest.raises(ValueError, match=r"b.json: images\[3\]: 'frame_id' must be an integer"):
        VIDMetric(ann_file=[files[0], build_for_testing(part, 'b', second)['ann_file']])
    assert both.get_data_info(39)['video_id'] == '1/1' and both.get_data_info(0)['img_id'] == '0/0'


def test_prefixes_of_ones_own_and_mixed_modes(part):
    named = [build_for_testing(part, 'a', None), build_for_testing(part, 'b', None, id_prefix='night-')]
    both = build(dict(type='ConcatDataset', datasets=named))
    assert [both.get_data_info(i)['img_id'] for i in (0, 39)] == ['0/0', 'night-0']
    with pytest.raises(ValueError, match=r'test_mode of all .* must be the same, got \[True, False\]'):
        build(dict(type='ConcatDataset', datasets=[build_for_testing(part, 'a', None), part('b')]))


def test_ids_that_are_there_twice_are_refused_in_testing(part):
    """Two files of 3 frames; the prefixes of nested data sets are those of the inner wrapper."""
    a, b = (build_for_testing(part, name, content((3,))) for name in 'ab')
    for data in ([dict(type='ConcatDataset', datasets=[a]), b], [b, dict(type='RepeatDataset', dataset=a, times=1)]):
        assert len(build(dict(type='ConcatDataset', datasets=data))) == 6  # 0/0 and 1/0, 0/0 and 0
    inner = dict(type='ConcatDataset', datasets=[a])
    other = content((3,))
    for key, entries in (('id', other['images']), ('image_id', other['annotations'])):
        for entry in entries:
            entry[key] += 100
    same_video = build_for_testing(part, 'c', other)
    for data, message in (
        ([inner, dict(inner, datasets=[b])], r"img_id '0/0' of datasets\[1\] is in datasets\[0\] already"),
        ([build(a), build(b)], r'img_id 0 of datasets\[1\] is in datasets\[0\] .* give its data an id_prefix$'),
        ([b, dict(type='RepeatDataset', dataset=a, times=2)], r'img_id 0 of datasets\[1\] is in datasets\[1\]'),
        ([build(a), build(same_video)], r'video_id 1 of datasets\[1\] is in datasets\[0\] already'),
    ):
        lazy = build(dict(type='ConcatDataset', datasets=data, lazy_init=True))
        with pytest.raises(ValueError, match=message):
            lazy.full_init()
        with pytest.raises(ValueError, match=message):
            build(dict(type='ConcatDataset', datasets=data))
    training = [{**one, 'test_mode': False} for one in (a, b)]
    assert len(build(dict(type='ConcatDataset', datasets=training))) == 6


def test_videos_stay_on_one_process(part, monkeypatch):
    datasets = [build_for_testing(part, 'a', content((3, 4))), build_for_testing(part, 'b', content((2, 5, 1)))]
    dataset = build(dict(type='ConcatDataset', datasets=datasets))
    shares = []
    for rank in range(2):
        monkeypatch.setattr('mmrdn.datasets.samplers.video_sampler.get_dist_info', lambda: (rank, 2))
        shares.append(list(VideoSampler(dataset)))
    assert shares == [list(range(9)), list(range(9, 15))]  # videos of 3, 4, 2 and of 5, 1 frames
    monkeypatch.setattr('mmrdn.datasets.samplers.video_sampler.get_dist_info', lambda: (0, 6))
    with pytest.raises(ValueError, match='5 videos are too few for 6 processes'):
        VideoSampler(dataset)


def test_sampler_of_stills_and_of_training_data(part):
    data = content((4,))
    del data['videos']
    for image in data['images']:
        del image['video_id'], image['frame_id']
    assert list(VideoSampler(build(build_for_testing(part, 'a', data, load_as_video=False)))) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match='test_mode=True, got a VideoDetDataset without'):
        VideoSampler(build(part()))
    repeated = build(dict(type='RepeatDataset', dataset=build_for_testing(part, 'b', content((4,))), times=2))
    with pytest.raises(ValueError, match='VideoSampler takes no RepeatDataset, which is for training: leave out'):
        VideoSampler(repeated)
