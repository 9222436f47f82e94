# Copyright (c) mmrdn contributors. All rights reserved.
"""Pipelines in which frames lose boxes, are rejected, or differ in size."""

import json
import random

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from mmrdn.registry import DATASETS

SIZES = [(80, 120), (80, 100), (96, 64)]  # heights and widths of the frames of a video
# Boxes in the left and in the right half of each frame.
BOXES = {11: [4, 10, 20, 20], 12: [50, 30, 12, 20]}


@pytest.fixture
def build(tmp_path):
    """A data set of one video with its key frame first."""

    def make(*transforms, sizes=SIZES, empty=(), with_instance_id=True, share=True, **kwargs):
        data = dict(categories=[dict(id=1, name='cat'), dict(id=2, name='dog')], videos=[dict(id=1)], images=[])
        data['annotations'] = []
        for t, (height, width) in enumerate(sizes):
            image = np.full((height, width, 3), 40 * t + 20, np.uint8)
            cv2.imwrite(str(tmp_path / f'{t}.png'), image)
            data['images'].append(dict(id=t, file_name=f'{t}.png', height=height, width=width, video_id=1, frame_id=t))
            for category, (number, box) in enumerate(BOXES.items(), 1):
                if t not in empty:
                    entry = dict(image_id=t, category_id=category, instance_id=number, bbox=box)
                    data['annotations'].append(entry)
        (tmp_path / 'a.json').write_text(json.dumps(data))
        loading = [dict(type='LoadFrame'), dict(type='LoadTrackAnnotations', with_instance_id=with_instance_id)]
        frames = dict(type='TransformBroadcaster', share_random_params=share, transforms=[*loading, *transforms])
        sampler = dict(num_ref_imgs=2, frame_range=2, filter_key_img=True, method='uniform')
        options = dict(ann_file=str(tmp_path / 'a.json'), data_prefix=dict(img_path=str(tmp_path)))
        with DefaultScope.overwrite_default_scope('mmrdn'):
            return DATASETS.build(
                dict(
                    type='VideoDetDataset',
                    metainfo=dict(classes=('cat', 'dog')),
                    ref_img_sampler=sampler,
                    pipeline=[frames, dict(type='PackTrackInputs')],
                    **options,
                    **kwargs,
                )
            )

    return make


def crop(height, width, **kwargs):
    return dict(type='mmdet.RandomCrop', crop_size=(width, height), **kwargs)


def test_boxes_and_their_ids_after_a_crop(build, monkeypatch):
    """The left 40 columns hold the cats alone."""
    monkeypatch.setattr('numpy.random.randint', lambda *args: 0)
    sample = build(crop(60, 40), sizes=[(80, 100)] * 3)[0]['data_samples']
    for truth, frames in ((sample.gt_instances, 1), (sample.ref_gt_instances, 2)):
        assert truth.labels.tolist() == [0] * frames
        assert truth.instances_id.tolist() == [11] * frames
        assert truth.bboxes.tolist() == [[4, 10, 24, 30]] * frames
    assert sample.img_shape == (60, 40)


def test_rejected_key_frames_are_replaced_by_other_samples(build):
    """A crop keeps 9 of 100 columns: most crops are empty, and no sample is."""
    dataset = build(crop(80, 9), sizes=[(80, 100)] * 3)
    np.random.seed(0)
    offsets = set()
    for _ in range(20):
        sample = dataset[0]['data_samples']
        assert len(sample.gt_instances.bboxes) > 0
        assert sample.img_id in (0, 1, 2)
        offsets.add(tuple(sample.gt_instances.labels.tolist()))
    assert {(0,), (1,)} <= offsets


def test_rejected_support_frames_are_left_out(build):
    """Frames 1 and 2 have no boxes: the key frame takes their place, which no pool holds twice."""
    sample = build(crop(80, 100), sizes=[(80, 100)] * 3, empty=(1, 2))[0]
    assert sample['data_samples'].img_id == 0
    assert sample['data_samples'].ref_img_id == [0, 0]
    assert (sample['inputs']['ref_img'] == sample['inputs']['img']).all()
    kept = build(crop(80, 100, allow_negative_crop=True), sizes=[(80, 100)] * 3, empty=(1, 2))[0]
    assert kept['data_samples'].ref_img_id == [1, 2]
    assert len(kept['data_samples'].ref_gt_instances.bboxes) == 0


@pytest.mark.parametrize(
    'transform',
    [
        dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(15, 1)),  # the dog is 12 pixels wide
        dict(type='mmdet.RandomAffine', max_translate_ratio=0.6),
        dict(type='mmdet.RandomErasing', n_patches=(1, 3), ratio=(0.4, 0.7), bbox_erased_thr=0.5),
        dict(type='mmdet.RandomShift', prob=1.0, max_shift_px=60),
        dict(type='mmdet.MinIoURandomCrop', min_ious=(0,), min_crop_size=0.1),
        dict(type='mmdet.RandomCrop', crop_size=(40, 40), allow_negative_crop=True),
    ],
    ids=lambda transform: transform['type'],
)
def test_ids_of_the_boxes_that_are_left(transform, build):
    """Cats have the label 0 and the id 11, dogs 1 and 12, whichever of them a transform drops."""
    share = 'MinIoU' not in transform['type']
    dataset = build(transform, sizes=[(80, 100)] * 3, share=share, serialize_data=False)
    np.random.seed(0), random.seed(0)
    seen = set()
    for _ in range(30):
        sample = dataset[0]['data_samples']
        for truth in (sample.gt_instances, sample.ref_gt_instances):
            assert truth.instances_id.tolist() == [11 + label for label in truth.labels.tolist()]
        seen.add(tuple(sample.gt_instances.instances_id.tolist()))
    assert (11,) in seen and len(seen) > ('Filter' not in transform['type'])


@pytest.mark.parametrize('kind', ['MinIoURandomCrop', 'RandomCenterCropPad', 'Albu'])
def test_transforms_that_cannot_share_random_numbers(kind, build):
    """The first draws until a crop fits: the same number for ever. Also within other transforms."""
    pad = dict(ratios=(1.0,), crop_size=(64, 64), mean=[0] * 3, std=[1] * 3, to_rgb=True, test_pad_mode=None)
    options = dict(RandomCenterCropPad=pad, Albu=dict(transforms=[])).get(kind, {})
    if kind == 'Albu':
        pytest.importorskip('albumentations')
    transform = dict(type=f'mmdet.{kind}', **options)
    for one in (transform, dict(type='RandomApply', transforms=[transform])):
        with pytest.raises(ValueError, match=f'^{kind} cannot share its random numbers among the frames of a sample: '):
            build(one)
    if kind == 'MinIoURandomCrop':
        assert build(transform, share=False)[0]['inputs']['img'].shape[0] == 1


def test_transform_that_makes_new_labels(build):
    def drop_last(results):
        for name in ('gt_bboxes', 'gt_ignore_flags'):
            results[name] = results[name][:-1]
        results['gt_bboxes_labels'] = np.array(results['gt_bboxes_labels'])[:-1]
        return results

    with pytest.raises(ValueError, match=r'1 boxes and 2 instance ids.*LoadTrackAnnotations\(with_instance_id=False\)'):
        build(drop_last)[0]
    sample = build(drop_last, with_instance_id=False)[0]['data_samples']
    assert sample.gt_instances.labels.tolist() == [0]
    assert 'instances_id' not in sample.gt_instances


def test_frames_of_several_sizes(build):
    """Padded below and at the right; each knows its own size."""
    sample = build()[0]
    image, supports = sample['inputs']['img'], sample['inputs']['ref_img']
    assert image.shape == (1, 3, 96, 120) and supports.shape == (2, 3, 96, 120)
    for t, frame in enumerate([*image, *supports]):
        height, width = SIZES[t]
        assert (frame[:, :height, :width] == 40 * t + 20).all()
        assert frame[:, height:].sum() == 0 and frame[:, :, width:].sum() == 0
    meta = sample['data_samples']
    assert meta.img_shape == SIZES[0] and meta.ref_img_shape == SIZES[1:]
    assert meta.gt_instances.instances_id.tolist() == [11, 12]
    assert meta.ref_gt_instances.map_instances_to_img_idx.tolist() == [0, 0, 1, 1]


def test_images_of_another_size_are_named(build, tmp_path, logged):
    """The first and the tenth, where boxes are loaded; one is turned by its EXIF orientation."""
    dataset = build(sizes=[(80, 100)] * 3, serialize_data=False)
    for _ in range(3):
        dataset[0]
    assert not [line for line in logged if 'of the size' in line]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(tmp_path / '0.png', exif=exif)
    for _ in range(12):
        dataset[0]
    said = [line for line in logged if 'of the size' in line]
    text = 'images are not of the size that the file of annotations says, so that boxes may not fit: '
    end = f'{tmp_path}/0.png has 80x100 pixels, expected 100x80, maybe for its EXIF orientation'
    assert said == [f'WARNING: {number} {text}{end}' for number in (1, 10)]
