# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import json

import pytest
from mmtrack.datasets import BaseVideoDataset

from helpers.video_data import LENGTHS, video_data
from mmrdn.datasets import ImageNetVIDDataset, MovingDigitsDataset, VideoDetDataset
from mmrdn.registry import DATASETS


@pytest.mark.slow
def test_labels_follow_the_metainfo(build):
    for classes, label in ((('cat', 'dog'), 0), (('dog', 'cat'), 1)):
        info = build(classes=classes).get_data_info(0)
        assert info['instances'][0]['bbox_label'] == label
        assert info['instances'][0]['bbox'] == [1, 2, 31, 42]
    info = build(classes=('cat',)).get_data_info(0)
    assert info['instances'][0]['bbox_label'] == 0
    assert info['img_path'] == 'images/v1/000000.JPEG'


def test_frames_out_of_order_in_the_file(build):
    data = video_data()
    data['images'].reverse()
    dataset = build(data, test_mode=True)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [(i['video_id'], i['frame_id']) for i in infos] == [
        (v, t) for v, n in enumerate(LENGTHS, 1) for t in range(n)
    ]
    assert [i['video_length'] for i in infos[:4]] == [1, 3, 3, 3]


@pytest.mark.slow
@pytest.mark.parametrize('method', ['uniform', 'bilateral_uniform'])
@pytest.mark.parametrize('filter_key_img', [True, False])
@pytest.mark.parametrize('num_ref_imgs', [2, 4])
def test_support_frames(build, method, filter_key_img, num_ref_imgs):
    dataset = build(ref_img_sampler=None)
    for _ in range(5):
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            key, *support = dataset.ref_img_sampling(
                index,
                info,
                frame_range=[-5, 6],
                num_ref_imgs=num_ref_imgs,
                filter_key_img=filter_key_img,
                method=method,
            )
            assert key['img_id'] == info['img_id']
            assert len(support) == num_ref_imgs
            frames = [s['frame_id'] for s in support]
            assert frames == sorted(frames)
            for item in support:
                assert item['video_id'] == key['video_id']
                assert -5 <= item['frame_id'] - key['frame_id'] <= 6
                assert item['img_id'] - key['img_id'] == (item['frame_id'] - key['frame_id'])
            others = key['video_length'] > 1 and filter_key_img
            if others:
                assert key['frame_id'] not in frames
            if method == 'uniform' and key['video_length'] == 40:
                assert len(set(frames)) == num_ref_imgs


def test_one_frame_video_repeats_the_key(build):
    dataset = build(ref_img_sampler=None)
    info = dataset.get_data_info(0)
    infos = dataset.ref_img_sampling(0, info, frame_range=18, num_ref_imgs=2, method='uniform')
    assert [i['img_id'] for i in infos] == [1, 1, 1]
    assert infos[1] is not infos[2]


def test_support_reaches_unflagged_frames(build):
    data = video_data()
    for image in data['images']:
        image['is_vid_train_frame'] = image['frame_id'] % 10 == 5
    dataset = build(data)
    keys = [dataset.get_data_info(i)['frame_id'] for i in range(len(dataset))]
    assert keys == [5, 15, 25, 35]
    seen = set()
    for _ in range(50):
        infos = dataset.ref_img_sampling(1, dataset.get_data_info(1), frame_range=3, num_ref_imgs=2, method='uniform')
        seen |= {i['frame_id'] for i in infos[1:]}
    assert seen == {12, 13, 14, 16, 17, 18}
    assert len(build(data, test_mode=True)) == sum(LENGTHS)


@pytest.mark.slow
def test_frames_without_boxes(build):
    data = video_data()
    data['annotations'] = data['annotations'][:10]
    assert len(build(data)) == 10
    assert len(build(data, test_mode=True)) == sum(LENGTHS)
    kept = build(data, filter_cfg=dict(filter_empty_gt=False))
    assert len(kept) == sum(LENGTHS)
    assert kept.get_data_info(20)['instances'] == []


@pytest.mark.slow
@pytest.mark.parametrize('key', [0, 2, 5])
def test_instances_equal_those_of_mmtrack(build, key, tmp_path):
    """For boxes of an area, flags and fields of all kinds."""
    data = video_data()
    changes = [
        dict(iscrowd=True), dict(ignore=True), dict(bbox=[90, 50, 30, 30]), dict(bbox=[101, 2, 5, 5]),
        dict(instance_id=None), dict(category_id=7), dict(segmentation=[[1, 2, 3, 4, 5, 6]]), dict(area=0),
        dict(bbox=[9, 9, -5, 5], area=25), dict(bbox=[5, 61, 9, 9]), dict(bbox=[-9, 2, 8, 8]),
    ]  # fmt: skip
    common = dict(data['annotations'][key])
    data['annotations'] += [dict(common, **change, id=100 + i) for i, change in enumerate(changes)]
    dataset = build(data, classes=('dog', 'cat'))  # in the order of the file
    theirs = BaseVideoDataset(
        ann_file=dataset.ann_file, metainfo=dict(CLASSES=('dog', 'cat')), data_prefix=dict(img_path='images')
    )
    found, expected = dataset.get_data_info(key), theirs.get_data_info(key)
    assert found.pop('is_annotated') is None
    assert len(found['instances']) == 6
    assert found == expected


def test_stills(build):
    data = video_data()
    del data['videos']
    for image in data['images']:
        del image['video_id'], image['frame_id']
    for item in data['annotations']:
        del item['video_id'], item['instance_id'], item['area']
    dataset = build(data, load_as_video=False, ref_img_sampler=None)
    assert len(dataset) == sum(LENGTHS)
    infos = dataset.ref_img_sampling(4, dataset.get_data_info(4), frame_range=18, num_ref_imgs=2, method='uniform')
    assert [i['img_id'] for i in infos] == [5, 5, 5]


def test_nothing_is_printed(build, capsys):
    build()
    assert capsys.readouterr().out == ''


def test_class_sets():
    assert DATASETS.get('ImageNetVIDDataset') is ImageNetVIDDataset
    assert len(ImageNetVIDDataset.METAINFO['classes']) == 30
    assert MovingDigitsDataset.METAINFO['classes'][::9] == ('zero', 'nine')


def _change(part, number, **values):

    def change(data):
        for key, value in values.items():
            if value is None:
                del data[part][number][key]
            else:
                data[part][number][key] = value

    return change


@pytest.mark.parametrize(
    'change, text',
    [
        (_change('images', 2, width=None), r"images\[2\] must have the field 'width'"),
        (_change('images', 2, height='60'), r"images\[2\]: 'height' must be a positive integer, got '60'$"),
        (
            lambda data: data['images'][2].update(is_vid_train_frame=None),
            r"images\[2\]: 'is_vid_train_frame' must be true or false, got null$",
        ),
        (_change('images', 2, id=1), r"images\[2\]: id '1' is there twice"),
        (_change('images', 2, video_id=9), r"images\[2\]: video_id 9 is not among the file's videos"),
        (_change('images', 2, frame_id=None), r"images\[2\] must have the field 'frame_id'"),
        (_change('images', 2, frame_id=7), "'frame_id' of video 2 must be 0 to 2"),
        (_change('images', 2, frame_id=0), "'frame_id' of video 2 must be 0 to 2"),
        (_change('annotations', 4, bbox=None), r"annotations\[4\] must have the field 'bbox'"),
        (_change('annotations', 4, bbox=[1, 2, 3]), 'four finite numbers'),
        (_change('annotations', 4, bbox=[1, 2, float('nan'), 3]), 'four finite'),
        (_change('annotations', 4, image_id=99), r"annotations\[4\]: image_id 99 is not among the file's images"),
        (
            _change('annotations', 4, category_id=1),
            r"annotations\[4\]: category_id 1 is not among the file's categories",
        ),
        (_change('categories', 1, name='dog'), r"categories\[1\]: name 'dog' is there twice"),
        (lambda data: data.pop('videos'), "must have the field 'videos'"),
        (lambda data: data.update(annotations=[]), 'no image of its 44 is left'),
    ],
)
def test_bad_file(build, change, text):
    data = copy.deepcopy(video_data())
    change(data)
    with pytest.raises(ValueError, match=text) as caught:
        build(data)
    assert 'data.json' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_unreadable_file_or_class(build):
    with pytest.raises(ValueError, match='data.json: truncated or broken'):
        build(json.dumps(video_data())[:-20])
    with pytest.raises(ValueError, match='data.json: expected a JSON object'):
        build('[1]')
    with pytest.raises(ValueError, match="data.json has no category 'bird', "):
        build(classes=('cat', 'bird'))
    with pytest.raises(ValueError, match='metainfo must give classes'):
        build(classes=())
    with pytest.raises(ValueError, match='classes must not repeat'):
        build(classes=('cat', 'cat'))
    with pytest.raises(FileNotFoundError, match='nowhere.json does not exist'):
        VideoDetDataset(ann_file='nowhere.json', metainfo=dict(classes=('cat',)))
    with pytest.raises(ValueError, match='no image of its 0 is left'):
        build(dict(video_data(), videos=[], images=[], annotations=[]))
