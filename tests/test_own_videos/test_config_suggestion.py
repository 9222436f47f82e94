# Copyright (c) mmrdn contributors. All rights reserved.
"""Suggested configs: values by hand, and configs that build, train and test."""

import copy
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from helpers.videos import flat, write_mp4
from mmrdn.apis import load_config
from mmrdn.own_videos.coco_vid_tables import CocoVidTables
from mmrdn.own_videos.config_bases import BASES
from mmrdn.own_videos.config_suggestion import find_images, in_video_files, suggest
from mmrdn.registry import DATA_SAMPLERS, DATASETS, MODELS
from mmrdn.setup_env import register_all_modules

NUM_FRAMES = 40


def make_videos(root):
    """2 videos of 40 frames of 320x240: a car of 40x20 that moves by 4 pixels a frame, a dog of 20x40 that rests."""
    data = dict(
        categories=[dict(id=3, name="car's"), dict(id=1, name='dog'), dict(id=2, name='elk')],
        videos=[dict(id=v, name=f'clip{v}') for v in range(2)],
        images=[],
        annotations=[],
    )
    for v in range(2):
        for t in range(NUM_FRAMES):
            number = len(data['images'])
            name = f'{v}_{t}.png'
            data['images'].append(dict(id=number, video_id=v, frame_id=t, file_name=name, width=320, height=240))
            for instance, category, box in ((0, 3, [10 + 4 * t, 50, 40, 20]), (1, 1, [20, 150, 20, 40])):
                entry = dict(id=2 * number + instance, image_id=number, category_id=category, bbox=box)
                data['annotations'].append(dict(entry, instance_id=instance))
            (root / 'frames').mkdir(exist_ok=True)
            cv2.imwrite(str(root / 'frames' / name), np.full((240, 320, 3), 3 * t, np.uint8))
    for split in ('train', 'val'):
        (root / f'{split}.json').write_text(json.dumps(data))
    return data


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Directory of train.json, val.json and frames."""
    root = tmp_path_factory.mktemp('videos')
    make_videos(root)
    return root


def tables(videos):
    return CocoVidTables(str(videos / 'train.json')), CocoVidTables(str(videos / 'val.json'))


def test_values_follow_from_boxes_tracks_and_frames(videos):
    got = suggest(*tables(videos), BASES['mobile'])
    assert got.classes == ("car's", 'dog')  # no elk
    assert got.scale == (320, 240)  # not enlarged
    # All boxes are sqrt(800) = 28.3 pixels large: two equal anchors become one, of 1.8 strides.
    assert got.anchor_scales == [1.8] and got.anchor_ratios == [0.5, 1.25, 2.0]
    # Half of the shifts are 4 / sqrt(800) = 0.14 of the size, the others 0: the size in 7 frames.
    assert got.temporal_range == 7 and got.num_support == 16
    # 80 frames, 4 times each, in batches of 4 are 80 iterations: the least is 800.
    assert (got.iterations, got.batch, got.lr) == (800, 4, 4e-4)
    assert got.draw_interval == 7  # 12 of 80 frames
    large = suggest(*tables(videos), BASES['r50'], batch=8)
    assert large.scale == (640, 480)  # twice at most
    assert large.lr == 2e-3 and large.iterations == 2000 and large.temporal_range == 7
    assert large.anchor_scales == [3.5]  # 56.6 pixels
    assert suggest(*tables(videos), BASES['tiny'], batch=16).lr == 2e-3  # root of 4 times the batch
    assert suggest(*tables(videos), BASES['tiny']).scale == (256, 192)


@pytest.mark.parametrize('iterations', [800, 1500, 2000, 2600, 3000])
def test_six_validations_whatever_the_length(videos, iterations):
    """MMEngine validates at multiples of the interval, and at the end."""
    base = replace(BASES['mobile'], iterations=(iterations, iterations))
    got = suggest(*tables(videos), base)
    at = [i for i in range(1, iterations + 1) if i % got.val_interval == 0 or i == iterations]
    assert got.iterations == iterations and len(at) == 6
    assert at[-1] - at[-2] > got.val_interval - 6


def test_crowded_frames_get_more_supports_and_long_videos_more_iterations(videos, tmp_path):
    data = json.loads((videos / 'train.json').read_text())
    data['annotations'] += [
        dict(id=1000 + 10 * image['id'] + k, image_id=image['id'], category_id=1, bbox=[9 * k, 9, 8, 8])
        for image in data['images']
        for k in range(8)
    ]
    crowded = CocoVidTables(_write(data, tmp_path / 'a.json'))
    assert suggest(crowded, crowded, BASES['mobile']).num_support == 40  # 4 times 10 boxes
    data = json.loads((videos / 'train.json').read_text())
    data['images'] = [image for image in data['images'] if image['frame_id'] % 5 == 0]
    kept = {image['id'] for image in data['images']}
    data['annotations'] = [entry for entry in data['annotations'] if entry['image_id'] in kept]
    sparse = CocoVidTables(_write(data, tmp_path / 'c.json'))
    # Tracks of 8 boxes last 36 frames; 20 pixels in 5 frames are 4 in one: as with all frames.
    assert suggest(sparse, sparse, BASES['mobile']).temporal_range == 7
    data = make_long()
    long = CocoVidTables(_write(data, tmp_path / 'b.json'))
    assert suggest(long, long, BASES['mobile']).iterations == 3000  # 3000 frames, 4 times, by 4


def _write(data, path):
    path.write_text(json.dumps(data))
    return str(path)


def make_long():
    """A video of 3000 frames with an object that rests."""
    images = [dict(id=t, video_id=0, frame_id=t, file_name=f'{t}', width=320, height=240) for t in range(3000)]
    boxes = [dict(id=t, image_id=t, category_id=1, instance_id=1, bbox=[9, 9, 90, 90]) for t in range(3000)]
    return dict(categories=[dict(id=1, name='a')], videos=[dict(id=0)], images=images, annotations=boxes)


def _read(tables):
    return json.loads(Path(tables.path).read_text())


def test_what_cannot_be_trained_is_reported(videos, tmp_path):
    train, val = tables(videos)
    data = json.loads((videos / 'val.json').read_text())
    data['categories'][1]['name'] = 'cat'
    with pytest.raises(ValueError, match='must name the classes of .*, it lacks dog'):
        suggest(train, CocoVidTables(_write(data, tmp_path / 'val.json')), BASES['tiny'])
    empty = CocoVidTables(_write(dict(data, annotations=[]), tmp_path / 'empty.json'))
    with pytest.raises(ValueError, match='no box that a training can use'):
        suggest(empty, val, BASES['tiny'])
    with pytest.raises(ValueError, match="empty.json: no box of the classes car's, dog, so there would be no mAP50"):
        suggest(
            train, CocoVidTables(_write(dict(_read(train), annotations=[]), tmp_path / 'empty.json')), BASES['tiny']
        )
    cars = [entry for entry in _read(train)['annotations'] if entry['category_id'] == 3]
    val = CocoVidTables(_write(dict(_read(train), annotations=cars), tmp_path / 'cars.json'))
    assert f'without a box in {val.path}, so without a score: dog' in suggest(train, val, BASES['tiny']).reasons[0]
    assert find_images(train) == str(videos / 'frames')
    with pytest.raises(ValueError, match='name their directory by --images'):
        find_images(empty)


@pytest.mark.parametrize('base', BASES)
def test_configs_say_what_is_suggested_and_build(base, videos, tmp_path):
    train, val = tables(videos)
    suggestion = suggest(train, val, BASES[base])
    text = suggestion.text(BASES[base], train.path, val.path, find_images(train))
    assert len([line for line in text.splitlines() if not line.startswith('#')]) <= 22
    assert text.startswith(f'# 2 classes; without a box in {train.path}, left out: elk\n')
    assert f'# a validation every {suggestion.val_interval} iterations: ' in text
    path = tmp_path / 'my_config.py'
    path.write_text(text)
    cfg = load_config(str(path), needs=('train_cfg', 'train_dataloader', 'test_dataloader', 'test_evaluator'))
    pipelines = [cfg[f'{name}_dataloader'].dataset.pipeline for name in ('train', 'val', 'test')]
    scales = re.findall(r"'type': 'mmdet.Resize', 'scale': \((\d+), (\d+)\)", str(pipelines))
    assert scales == [tuple(map(str, suggestion.scale))] * 3
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        assert dataset.metainfo.classes == ("car's", 'dog')
        assert Path(dataset.ann_file).name == f'{"val" if name == "test" else name}.json'
    hooks = cfg.default_hooks
    assert (hooks.early_stop.monitor, hooks.early_stop.patience) == ('vid/mAP50', 3)
    assert (hooks.checkpoint.save_best, hooks.checkpoint.interval) == ('vid/mAP50', suggestion.val_interval)
    assert hooks.checkpoint.interval == cfg.train_cfg.val_interval
    assert (hooks.visualization.draw, hooks.visualization.interval) == (True, 7)
    assert cfg.train_dataloader.dataset.ref_img_sampler.frame_range == cfg.model.temporal_range == 6 + (base != 'tiny')
    register_all_modules(init_default_scope=False)
    init_default_scope('mmrdn')
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.detector.backbone.init_cfg = None
    with torch.device('meta'):
        model = MODELS.build(model_cfg)
    head = model.detector.roi_head.bbox_head
    assert head.fc_cls.out_features == 3
    assert model.detector.rpn_head.num_base_priors == len(suggestion.anchor_scales) * 3


@pytest.mark.parametrize('base', BASES)
def test_frames_in_video_files(base, videos, tmp_path):
    """They are found beside the annotations, and read by LoadFrameFromVideo in all three data sets."""
    (tmp_path / 'clips').mkdir()
    data = _read(tables(videos)[0])
    for v in range(2):
        write_mp4(tmp_path / 'clips' / f'{v}.mp4', [flat(3 * t, (240, 320)) for t in range(NUM_FRAMES)])
    for image in data['images']:
        image['file_name'] = f'{image["video_id"]}.mp4/{image["frame_id"]:06d}'
    train = CocoVidTables(_write(data, tmp_path / 'train.json'))
    images = find_images(train)
    assert images == str(tmp_path / 'clips') and in_video_files(train, images)
    assert not in_video_files(tables(videos)[0], str(videos / 'frames'))
    text = suggest(train, train, BASES[base]).text(BASES[base], train.path, train.path, images, from_videos=True)
    (tmp_path / 'my_config.py').write_text(text)
    cfg = load_config(str(tmp_path / 'my_config.py'))
    for name in ('train', 'val', 'test'):
        pipeline = str(cfg[f'{name}_dataloader'].dataset.pipeline)
        assert "'LoadFrameFromVideo'" in pipeline and "'LoadFrame'" not in pipeline
    register_all_modules(init_default_scope=False)
    init_default_scope('mmrdn')
    sample = DATASETS.build(cfg.val_dataloader.dataset)[NUM_FRAMES + 20]
    assert abs(sample['inputs']['img'].float().mean() - 60) < 3


BALANCED = """
_base_ = 'my_config.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ClassBalancedDataset',
        oversample_thr=0.25,
        dataset=_base_.train_dataloader.dataset,
    )
)
"""


@pytest.mark.slow
def test_rare_classes_come_more_often(videos, tmp_path):
    """Dogs are in 5 of 80 frames: sqrt(0.25 / (5 / 80)) = 2 times each."""
    data = json.loads((videos / 'train.json').read_text())
    data['annotations'] = [e for e in data['annotations'] if e['category_id'] == 3 or e['image_id'] % 16 == 0]
    train = CocoVidTables(_write(data, tmp_path / 'train.json'))
    text = suggest(train, train, BASES['tiny']).text(BASES['tiny'], train.path, train.path, str(videos / 'frames'))
    (tmp_path / 'my_config.py').write_text(text)
    (tmp_path / 'balanced.py').write_text(BALANCED)
    cfg = load_config(str(tmp_path / 'balanced.py')).train_dataloader
    register_all_modules(init_default_scope=False)
    init_default_scope('mmrdn')
    dataset = DATASETS.build(cfg.dataset)
    sampler = DATA_SAMPLERS.build(cfg.sampler, default_args=dict(dataset=dataset, seed=0))
    indices = list(itertools.islice(sampler, 85))
    assert len(dataset) == 85 and sorted(indices) == list(range(85))
    dogs = [1 in dataset[index]['data_samples'].gt_instances.labels for index in range(85)]
    assert sum(dogs) == 10
