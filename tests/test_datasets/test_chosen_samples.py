# Copyright (c) mmrdn contributors. All rights reserved.
"""Which frames of a data set become samples, and which are left out."""

import json

import numpy as np
import pytest

from helpers.video_data import video_data
from mmrdn.datasets import PackTrackInputs, VideoDetDataset


def test_indices_are_of_what_is_left(build):
    """Every fourth frame is a key frame: 1 + 1 + 10 of them."""
    data = video_data()
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


def test_kinds_of_indices(build):
    dataset = build()
    for indices, chosen in ((np.int64(2), [0, 1]), (np.arange(3), [0, 1, 2]), (range(1, 3), [1, 2]), ((-1,), [43])):
        expected = [dataset.get_data_info(i)['img_id'] for i in chosen]
        for subset in (build(indices=indices), dataset.get_subset(indices)):
            assert [subset.get_data_info(i)['img_id'] for i in range(len(subset))] == expected
    for indices in (True, 5.0, 'x', [1, 'x'], [True, False], np.array([0.0, 1.0]), [[0], [1]], [0, [1]], {0, 1}):
        with pytest.raises(ValueError, match='data.json: indices must be an integer or a list of integers, got '):
            build(indices=indices)


def test_indices_keep_whole_videos_in_testing(build):
    tested = build(indices=[*range(4, 44), 0], test_mode=True)
    infos = [tested.get_data_info(i) for i in range(len(tested))]
    assert [(i['video_id'], i['frame_id']) for i in infos] == [(3, t) for t in range(40)] + [(1, 0)]
    for indices, video in ((2, 2), (-39, 3), ([0, 1, 3, 2], 2), (43, 3)):
        with pytest.raises(ValueError, match=f'data.json: indices must keep whole videos .* parts of video {video}'):
            build(indices=indices, test_mode=True)


def test_prefix_of_images_by_either_name(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(video_data()))

    def path_of(**prefix):
        options = dict(ann_file='a.json', data_root=str(tmp_path), metainfo=dict(classes=('cat',)))
        return VideoDetDataset(data_prefix=prefix, **options).get_data_info(0)['img_path']

    assert path_of(img='images') == path_of(img_path='images') == str(tmp_path / 'images/v1/000000.JPEG')
    assert path_of() == str(tmp_path / 'v1/000000.JPEG') or path_of() == 'v1/000000.JPEG'
    for wrong in (dict(images='x'), dict(img='x', img_path='y')):
        with pytest.raises(ValueError, match=r'data_prefix must have the key img_path \(or img\) alone, got'):
            path_of(**wrong)
    with pytest.raises(ValueError, match='^VideoDetDataset: data_prefix.img must be a string, got None$'):
        path_of(img=None)
    for prefix in ('images', None):
        with pytest.raises(ValueError, match=rf'data_prefix must have the key .* alone, got {prefix!r}$'):
            VideoDetDataset(ann_file='a.json', data_prefix=prefix)


def test_small_images_are_counted_and_named_once(build, logged):
    data = video_data()
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


def test_frames_that_nobody_annotated(build, logged):
    """Support frames, never key frames, whatever boxes they have and whether empty ones are trained on."""
    data = video_data()
    for image in data['images']:
        if image['frame_id'] % 10 != 5:
            image['is_annotated'] = False
    for cfg in (None, dict(filter_empty_gt=False)):
        logged.clear()
        dataset = build(data, filter_cfg=cfg)
        # 40 frames of one video have 4 annotated ones, the four of the others none.
        (line,) = [line for line in logged if 'is_annotated' in line]
        assert line.endswith('data.json: 40 of 44 images have "is_annotated": false and are support frames only')
        assert [dataset.get_data_info(i)['frame_id'] for i in range(len(dataset))] == [5, 15, 25, 35]
        seen = set()
        for _ in range(50):
            infos = dataset.ref_img_sampling(
                1, dataset.get_data_info(1), frame_range=3, num_ref_imgs=2, method='uniform'
            )
            seen |= {i['frame_id'] for i in infos[1:]}
            assert all(i['is_annotated'] is False and i['instances'] == [] for i in infos[1:])
        assert seen == {12, 13, 14, 16, 17, 18}
    logged.clear()
    tested = build(data, test_mode=True)
    assert not [line for line in logged if 'is_annotated' in line]  # the metric says it
    infos = [tested.get_data_info(i) for i in range(len(tested))]
    assert [len(i['instances']) for i in infos] == [i['frame_id'] % 10 == 5 for i in infos]
    for image in data['images']:
        image['is_annotated'] = False
    with pytest.raises(ValueError, match='no image of its 44 is left'):
        build(data)


def test_sparse_files_are_named_where_empty_frames_are_trained_on(build, logged):
    data = video_data()
    data['annotations'] = [a for a in data['annotations'] if (a['id'] - 1) % 5 == 0]  # 9; video 2 has none
    for cfg, number in ((None, 0), (dict(filter_empty_gt=False), 1)):
        build(data, filter_cfg=cfg)
        assert sum('data.json: 32 of 44 frames have no box while' in line for line in logged) == number


def test_the_flag_travels_with_the_sample(build):
    """To metrics that read samples: of the key frame and of its supports."""
    data = video_data()
    data['images'][20]['is_annotated'] = True
    data['images'][21]['is_annotated'] = False
    dataset = build(data, ref_img_sampler=dict(frame_range=[0, 1], num_ref_imgs=1, method='uniform'))
    infos = [dataset.get_data_info(20), dataset._get_ori_data_info(21)]
    sample = PackTrackInputs()({key: [info[key] for info in infos] for key in infos[1]})['data_samples']
    assert (sample.is_annotated, sample.ref_is_annotated) == (True, False)
    single = PackTrackInputs(pack_single_img=True, meta_keys='width')(infos[1])['data_samples']
    assert (single.is_annotated, single.width) == (False, 100)
