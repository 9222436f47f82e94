# Copyright (c) mmrdn contributors. All rights reserved.
"""What the metric leaves out of the ground truth, and says that it does."""

import copy

import numpy as np
import pytest

from helpers.sparse_videos import every, one_video, tell
from helpers.vid_metric import make_coco, make_samples, run, write
from mmrdn.datasets import VideoDetDataset

GROUPS = {f'vid/mAP50_{name}' for name in ('slow', 'medium', 'fast')}


def test_faulty_boxes_are_counted_and_named_once(tmp_path, logged):
    coco, samples = one_video()
    expected = run(samples, classes=('cat',), ann_file=write(tmp_path / 'whole.json', coco))
    first = len(coco['annotations'])
    for k, change in enumerate(
        [
            dict(bbox=[100, 10, 20, 20]),  # begins where the image ends
            dict(bbox=[10, 10, -1, 20]),
            dict(bbox=[-30, 10, 20, 20]),
            dict(bbox=[10, 10, 20, 20], area=0),
            dict(bbox=[10, 200, 20, 20]),
            dict(bbox=[10, 200, 20, 20], ignore=True),  # left out for another reason
            dict(bbox=[]),
        ]
    ):
        coco['annotations'].append(dict(id=100 + k, image_id=1, category_id=2, instance_id=50 + k) | change)
    path = write(tmp_path / 'a.json', coco)
    assert not [line for line in logged if 'boxes are' in line]
    np.testing.assert_equal(run(samples, classes=('cat',), ann_file=path), expected)
    warnings = [line for line in logged if 'boxes are' in line]
    assert warnings == [
        f'WARNING: {path}: 5 boxes are left out: 3 outside their image, the first being annotations[{first}]; '
        f'1 of negative size, the first being annotations[{first + 1}]; '
        f'1 whose area is 0 or less, the first being annotations[{first + 3}]'
    ]
    del coco['annotations'][-1]  # training needs boxes
    write(tmp_path / 'a.json', coco)
    dataset = VideoDetDataset(ann_file=path, metainfo=dict(classes=('cat',)))
    assert [len(dataset.get_data_info(t)['instances']) for t in range(4)] == [1] * 4
    # The same line, of which MMEngine's handlers show the first.
    assert [line for line in logged if 'boxes are' in line] == warnings * 2


def test_images_of_another_size_are_counted_and_named_once(tmp_path, logged):
    coco, samples = one_video()
    for image in coco['images'][1:3]:
        image.update(width=400, height=300)  # as the samples have it
    coco['images'][3].update(width=300, height=400)
    path = write(tmp_path / 'a.json', coco)
    run(samples[1:3], classes=('cat',))
    assert not [line for line in logged if 'of the size' in line]
    run(samples, classes=('cat',), ann_file=path)
    said = [line for line in logged if 'of the size' in line]
    assert len(said) == 1
    assert said[0] == (
        f'WARNING: {path}: 2 images are not of the size that the file of annotations says, so that boxes may not fit: '
        '/data/0.png has 400x300 pixels, expected 100x100'
    )
    coco['images'][0].update(width=400, height=300)
    run(samples, classes=('cat',), ann_file=write(tmp_path / 'b.json', coco))
    said = [line for line in logged if 'of the size' in line]
    assert 'b.json: 1 images' in said[1]
    assert said[1].endswith('/data/3.png has 400x300 pixels, expected 300x400, maybe for its EXIF orientation')


@pytest.mark.parametrize('from_file', [True, False])
def test_motion_groups_need_instance_ids(from_file, tmp_path, logged):
    coco = make_coco()
    whole = run(make_samples(coco))
    assert whole.keys() >= GROUPS
    nameless = copy.deepcopy(coco)
    for entry in nameless['annotations']:
        entry['instance_id'] = None
    ann_file = write(tmp_path / 'a.json', nameless)
    metrics = run(make_samples(nameless), ann_file=ann_file if from_file else None)
    np.testing.assert_equal(metrics, {key: value for key, value in whole.items() if key not in GROUPS})
    said = [line for line in logged if 'WARNING' in line]
    assert len(said) == 1
    assert said[0].endswith(
        'motion groups are left out: no object, as instance_id tells them apart, has boxes in two frames at most 10 '
        'apart'
    )


def test_some_boxes_without_instance_id(tmp_path, logged):
    coco = make_coco()
    for entry in coco['annotations'][::4]:
        del entry['instance_id']
    num, total = len(coco['annotations'][::4]), len(coco['annotations'])
    samples = make_samples(make_coco())
    metrics = run(samples, ann_file=write(tmp_path / 'a.json', coco))
    assert metrics.keys() >= GROUPS
    assert [line for line in logged if 'WARNING' in line] == [
        f'WARNING: {tmp_path}/a.json: {num} of {total} boxes have no instance_id and count as slow'
    ]


@pytest.mark.parametrize('step, known', [(10, True), (11, False)])
def test_motion_groups_need_frames_near_each_other(step, known, tmp_path):
    """Motion IoU looks 10 frames ahead: in 23 frames every 11th box is a neighbor of none."""
    coco, samples = one_video([0.5] * 23)
    sparse = every(step, coco)
    metrics = run(tell(samples, sparse), classes=('cat',), ann_file=write(tmp_path / 'a.json', sparse))
    assert metrics['vid/mAP50'] == 1
    assert (metrics.keys() >= GROUPS) == known


def test_tested_data_sets_invent_no_instances(tmp_path):
    """A file without ids, and one with the id 0, as the metric sees them."""
    coco = make_coco()
    for entry in coco['annotations']:
        entry['instance_id'] = {1: 0, 2: 'two', 3: None}[entry['instance_id']]
    path = write(tmp_path / 'a.json', coco)
    options = dict(ann_file=path, metainfo=dict(classes=('cat', 'dog', 'owl')), ref_img_sampler=None)
    tested, trained = (VideoDetDataset(**options, test_mode=mode) for mode in (True, False))
    expected = {}
    for entry in coco['annotations']:
        expected.setdefault(entry['image_id'], []).append(entry['instance_id'])
    for dataset in (tested, trained):
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            ids = [instance.get('instance_id') for instance in info['instances']]
            if dataset is tested:
                assert ids == expected.get(info['img_id'], [])
            else:  # integers of 32 bits, as mmtrack's transforms need them; without an id the place in the frame
                assert all(isinstance(number, int) and abs(number) < 2**31 for number in ids)
                given = expected[info['img_id']]
                assert [a for a, b in zip(ids, given) if b == 0] == [0] * given.count(0)
                assert all(a == i for i, (a, b) in enumerate(zip(ids, given)) if b is None)
    named = {
        instance['instance_id']
        for i in range(len(trained))
        for instance, given in zip(trained.get_data_info(i)['instances'], expected[trained.get_data_info(i)['img_id']])
        if given == 'two'
    }
    assert len(named) == 1
