# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import json

import pytest
from mmtrack.datasets import BaseVideoDataset

from mmrdn.datasets import ImageNetVIDDataset, MovingDigitsDataset, PackTrackInputs, VideoDetDataset
from mmrdn.registry import DATASETS

LENGTHS = (1, 3, 40)


def _data():
    """Three videos of 1, 3 and 40 frames; a cat in every frame."""
    data = dict(categories=[dict(id=7, name='dog'), dict(id=3, name='cat')], videos=[], images=[], annotations=[])
    for video_id, length in enumerate(LENGTHS, 1):
        data['videos'].append(dict(id=video_id, name=f'v{video_id}'))
        for frame_id in range(length):
            image_id = len(data['images']) + 1
            data['images'].append(
                dict(
                    id=image_id,
                    file_name=f'v{video_id}/{frame_id:06d}.JPEG',
                    height=60,
                    width=100,
                    video_id=video_id,
                    frame_id=frame_id,
                )
            )
            data['annotations'].append(
                dict(
                    id=image_id,
                    image_id=image_id,
                    video_id=video_id,
                    category_id=3,
                    instance_id=video_id,
                    bbox=[1, 2, 30, 40],
                    area=1200,
                    iscrowd=False,
                )
            )
    return data


@pytest.fixture
def build(tmp_path):

    def _build(data=None, classes=('cat', 'dog'), **kwargs):
        path = tmp_path / 'data.json'
        text = data if isinstance(data, str) else json.dumps(data or _data())
        path.write_text(text)
        return VideoDetDataset(
            ann_file=str(path), metainfo=dict(classes=classes), data_prefix=dict(img_path='images'), **kwargs
        )

    return _build


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
    data = _data()
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
    data = _data()
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


def test_frames_that_nobody_annotated(build):
    """Support frames, never key frames, whatever boxes they have and whether empty ones are trained on."""
    data = _data()
    for image in data['images']:
        if image['frame_id'] % 10 != 5:
            image['is_annotated'] = False
    for cfg in (None, dict(filter_empty_gt=False)):
        dataset = build(data, filter_cfg=cfg)
        assert [dataset.get_data_info(i)['frame_id'] for i in range(len(dataset))] == [5, 15, 25, 35]
        seen = set()
        for _ in range(50):
            infos = dataset.ref_img_sampling(
                1, dataset.get_data_info(1), frame_range=3, num_ref_imgs=2, method='uniform'
            )
            seen |= {i['frame_id'] for i in infos[1:]}
            assert all(i['is_annotated'] is False and i['instances'] == [] for i in infos[1:])
        assert seen == {12, 13, 14, 16, 17, 18}
    tested = build(data, test_mode=True)
    infos = [tested.get_data_info(i) for i in range(len(tested))]
    assert [len(i['instances']) for i in infos] == [i['frame_id'] % 10 == 5 for i in infos]
    for image in data['images']:
        image['is_annotated'] = False
    with pytest.raises(ValueError, match='no image of its 44 is left'):
        build(data)


def test_sparse_files_are_named_where_empty_frames_are_trained_on(build, logged):
    data = _data()
    data['annotations'] = [a for a in data['annotations'] if (a['id'] - 1) % 5 == 0]  # 9; video 2 has none
    for cfg, number in ((None, 0), (dict(filter_empty_gt=False), 1)):
        build(data, filter_cfg=cfg)
        assert sum('data.json: 32 of 44 frames have no box while' in line for line in logged) == number


def test_the_flag_travels_with_the_sample(build):
    """To metrics that read samples: of the key frame and of its supports."""
    data = _data()
    data['images'][20]['is_annotated'] = True
    data['images'][21]['is_annotated'] = False
    dataset = build(data, ref_img_sampler=dict(frame_range=[0, 1], num_ref_imgs=1, method='uniform'))
    infos = [dataset.get_data_info(20), dataset._get_ori_data_info(21)]
    sample = PackTrackInputs()({key: [info[key] for info in infos] for key in infos[1]})['data_samples']
    assert (sample.is_annotated, sample.ref_is_annotated) == (True, False)
    single = PackTrackInputs(pack_single_img=True, meta_keys='width')(infos[1])['data_samples']
    assert (single.is_annotated, single.width) == (False, 100)


@pytest.mark.slow
def test_frames_without_boxes(build):
    data = _data()
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
    data = _data()
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
    data = _data()
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
        (_change('images', 2, height='60'), r"images\[2\]: 'height' must be a positive integer, got 60"),
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
    data = copy.deepcopy(_data())
    change(data)
    with pytest.raises(ValueError, match=text) as caught:
        build(data)
    assert 'data.json' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_unreadable_file_or_class(build):
    with pytest.raises(ValueError, match='data.json: truncated or broken'):
        build(json.dumps(_data())[:-20])
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
        build(dict(_data(), videos=[], images=[], annotations=[]))


def test_indices_are_of_what_is_left(build):
    """Every fourth frame is a key frame: 1 + 1 + 10 of them."""
    data = _data()
    for image in data['images']:
        image['is_vid_train_frame'] = image['frame_id'] % 4 == 0
    everything = build(data)
    expected = [everything.get_data_info(i)['img_id'] for i in range(12)]
    assert expected[:3] == [1, 2, 5]
    for indices, chosen in ((5, expected[:5]), (-3, expected[-3:]), ([11, 0, 4], [expected[i] for i in (11, 0, 4)])):
        for subset in (build(data, indices=indices), everything.get_subset(indices)):
            assert [subset.get_data_info(i)['img_id'] for i in range(len(subset))] == chosen
            assert subset.get_cat_ids(0) == [0]
    last = build(data, indices=-3)
    infos = last.ref_img_sampling(1, last.get_data_info(1), frame_range=2, num_ref_imgs=4)
    assert {i['frame_id'] - infos[0]['frame_id'] for i in infos[1:]} == {-2, -1, 1, 2}  # supports of its video
    assert len(everything) == 12
    everything.get_subset_([1])
    assert everything.get_data_info(0)['img_id'] == 2
    for indices in (13, 0, -13, [12], []):
        with pytest.raises(ValueError, match='data.json: indices must be some of its 12 samples, got '):
            build(data, indices=indices)


def test_indices_keep_whole_videos_in_testing(build):
    tested = build(indices=[*range(4, 44), 0], test_mode=True)
    infos = [tested.get_data_info(i) for i in range(len(tested))]
    assert [(i['video_id'], i['frame_id']) for i in infos] == [(3, t) for t in range(40)] + [(1, 0)]
    for indices, video in ((2, 2), (-39, 3), ([0, 1, 3, 2], 2), (43, 3)):
        with pytest.raises(ValueError, match=f'data.json: indices must keep whole videos .* parts of video {video}'):
            build(indices=indices, test_mode=True)


def test_prefix_of_images_by_either_name(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(_data()))

    def path_of(**prefix):
        options = dict(ann_file='a.json', data_root=str(tmp_path), metainfo=dict(classes=('cat',)))
        return VideoDetDataset(data_prefix=prefix, **options).get_data_info(0)['img_path']

    assert path_of(img='images') == path_of(img_path='images') == str(tmp_path / 'images/v1/000000.JPEG')
    assert path_of() == str(tmp_path / 'v1/000000.JPEG') or path_of() == 'v1/000000.JPEG'
    for wrong in (dict(images='x'), dict(img='x', img_path='y')):
        with pytest.raises(ValueError, match=r'data_prefix must have the key img_path \(or img\) alone, got'):
            path_of(**wrong)


def test_small_images_are_counted_and_named_once(build, logged):
    data = _data()
    for image in data['images'][:3]:
        image['height'] = 31
    data['images'][3].update(height=32, width=32)
    for cfg, left, least in ((None, 41, 32), (dict(min_size=60), 40, 60), (dict(min_size=31), 44, 31)):
        logged.clear()
        assert len(build(data, filter_cfg=cfg)) == left
        name = 'v1/000000.JPEG'
        text = f'data.json: {44 - left} of 44 images have a side below {least} pixels and are left out'
        said = [line for line in logged if 'a side below' in line]
        assert len(said) == (left < 44)
        assert all(
            text in line and line.endswith(f'(filter_cfg=dict(min_size={least})), the first is {name}') for line in said
        )
    logged.clear()
    assert len(build(data, test_mode=True)) == 44
    assert not logged or 'a side below' not in ''.join(logged)
