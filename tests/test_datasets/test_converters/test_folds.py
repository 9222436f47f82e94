# Copyright (c) mmrdn contributors. All rights reserved.
"""Folds of a data set by video."""

import json
from collections import Counter

import pytest

from mmrdn.datasets.converters.folds import split_into_folds
from mmrdn.fileio.json_files import write_json

CLASSES = ('cat', 'dog')


def coco(names, first_id=1, frames=4):
    """Videos of a box a frame, of one class each: the first letter of the name says which."""
    data = dict(categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)])
    data |= dict(videos=[], images=[], annotations=[])
    number = first_id
    for video_id, name in enumerate(names, first_id):
        data['videos'].append(dict(id=video_id, name=name))
        for frame in range(frames):
            image = dict(id=number, file_name=f'{name}/{frame}.jpg', width=64, height=48)
            data['images'].append(dict(image, video_id=video_id, frame_id=frame))
            box = dict(image_id=number, category_id=1 + (name[0] == 'd'), bbox=[frame, 2, 20, 10], instance_id=1)
            data['annotations'].append(dict(box, id=number, video_id=video_id, area=200, iscrowd=0))
            number += 1
    return data


@pytest.fixture
def files(tmp_path):
    """Two files of ten videos in all."""
    parts = dict(a=[f'c{i}' for i in range(4)] + ['d4', 'd5'], b=['c6', 'd7', 'd8', 'd9'])
    for name, videos in parts.items():
        write_json(coco(videos), tmp_path / f'{name}.json')
    return [str(tmp_path / f'{name}.json') for name in parts]


def videos_of(data):
    return [video['name'] for video in data['videos']]


def test_disjoint_complete_and_stratified(files):
    folds = split_into_folds(files, 5)
    validated = [name for fold in folds for name in videos_of(fold.val)]
    everything = sorted(videos_of(json.load(open(files[0]))) + videos_of(json.load(open(files[1]))))
    assert sorted(validated) == everything  # each in one fold, all of them
    for fold in folds:
        train, val = videos_of(fold.train), videos_of(fold.val)
        assert not set(train) & set(val) and sorted(train + val) == everything
        # Ten videos, half of them cats: one of either class in each fold.
        assert Counter(name[0] for name in val) == dict(c=1, d=1)


def test_frames_and_boxes_go_with_their_video(files):
    for fold in split_into_folds(files, 2):
        for part in fold:
            names = {video['id']: video['name'] for video in part['videos']}
            images = {image['id']: image for image in part['images']}
            assert len(images) == len(part['annotations']) == 4 * len(names)
            for image in images.values():
                assert image['file_name'] == f'{names[image["video_id"]]}/{image["frame_id"]}.jpg'
            for entry in part['annotations']:
                image = images[entry['image_id']]
                assert entry['video_id'] == image['video_id'] and entry['bbox'] == [image['frame_id'], 2, 20, 10]
                assert CLASSES[entry['category_id'] - 1][0] == names[entry['video_id']][0]


def test_one_class_changes_nothing_else(files):
    for own, one in zip(split_into_folds(files, 5), split_into_folds(files, 5, 'object')):
        for before, after in zip(own, one):
            assert after['categories'] == [dict(id=1, name='object')]
            assert {entry['category_id'] for entry in after['annotations']} == {1}
            assert after['annotations'] == [dict(entry, category_id=1) for entry in before['annotations']]
            assert (after['images'], after['videos']) == (before['images'], before['videos'])


def test_the_same_files_give_the_same_folds(files):
    assert split_into_folds(files, 3) == split_into_folds(files, 3)


@pytest.mark.parametrize(
    'num_folds, message',
    [(1, 'expected 2 or more folds, got 1'), (11, '11 folds need as many videos at least, got 10')],
)
def test_numbers_of_folds(files, num_folds, message):
    with pytest.raises(ValueError, match=message):
        split_into_folds(files, num_folds)


def test_two_files_for_one_video(files):
    with pytest.raises(ValueError, match='two files for the video c0'):
        split_into_folds([files[0], files[0]], 2)


def test_what_is_left_out_is_reported(tmp_path):
    data = coco(['c0', 'c1'])
    data['annotations'][3]['bbox'] = []
    write_json(data, tmp_path / 'a.json')
    with pytest.warns(UserWarning, match='annotations without a box were left out'):
        split_into_folds([str(tmp_path / 'a.json')], 2)
