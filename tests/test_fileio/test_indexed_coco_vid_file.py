# Copyright (c) mmrdn contributors. All rights reserved.
"""The columns of a file equal what plain reading of its JSON gives."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.video_data import video_data
from mmrdn.fileio import json_members
from mmrdn.fileio.indexed_coco_vid_file import IndexedCocoVidFile

CATEGORIES = [dict(id=5, name='dög'), dict(id='c', name='cat')]
PARTS = ('categories', 'videos', 'images', 'annotations')


@st.composite
def files(draw):
    """Videos of a few frames, in any order, with boxes of all kinds; lists in any order."""
    lengths = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    videos = [dict(id=f'v{i}') for i in draw(st.permutations(range(len(lengths))))]
    flags = st.fixed_dictionaries({}, optional=dict(is_annotated=st.booleans(), is_vid_train_frame=st.booleans()))
    images = [
        dict(
            draw(flags), id=10 * video + frame, video_id=f'v{video}', frame_id=frame, width=draw(st.integers(1, 50)),
            height=40, file_name=draw(st.sampled_from(['a"\\{[', 'ü/1.jpg', '🙂', 'x.png'])), other=[dict(more={})],
        )
        for video, length in enumerate(lengths)
        for frame in range(length)
    ]  # fmt: skip
    images = draw(st.permutations(images))
    of_box = st.fixed_dictionaries(
        dict(
            image_id=st.sampled_from([image['id'] for image in images]) if images else st.nothing(),
            category_id=st.sampled_from([5, 'c']),
            bbox=st.lists(st.integers(-20, 60), min_size=4, max_size=4),
        ),
        optional=dict(ignore=st.booleans(), iscrowd=st.booleans(), area=st.integers(-1, 2)),
    )
    annotations = [] if not images else draw(st.lists(of_box, max_size=8))
    data = dict(categories=CATEGORIES, videos=videos, images=images, annotations=annotations, info=dict(a=1))
    return {part: data[part] for part in draw(st.permutations(list(data)))}


def is_ground_truth(entry, image):
    """Judge a box by the rule of the metric, in words of pixels."""
    x, y, width, height = entry['bbox']
    area = entry.get('area')
    if entry.get('ignore') or image.get('is_annotated') is False or min(width, height) < 0:
        return False
    if area is not None and (area < 0 or (area == 0 and width > 0 and height > 0)):
        return False
    return x < image['width'] and y < image['height'] and x + width >= 0 and y + height >= 0


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(files(), st.booleans(), st.sampled_from([1, 7, 2**20]), st.sampled_from([None, 2]))
def test_it_equals_plain_reading(tmp_path_factory, data, ascii_only, window, indent):
    path = tmp_path_factory.mktemp('a') / 'data.json'
    path.write_text(json.dumps(data, ensure_ascii=ascii_only, indent=indent), encoding='utf-8')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_members, '_WINDOW', window)
        file = IndexedCocoVidFile(str(path))
    expected = [
        image
        for video in data['videos']
        for image in sorted(data['images'], key=lambda image: image['frame_id'])
        if image['video_id'] == video['id']
    ]
    boxes = [[entry for entry in data['annotations'] if entry['image_id'] == image['id']] for image in expected]
    assert [file.entries(i) for i in range(len(file))] == list(zip(expected, boxes))
    assert file.frame_ids.tolist() == [image['frame_id'] for image in expected]
    assert file.video_lengths.tolist() == [
        sum(other['video_id'] == image['video_id'] for other in expected) for image in expected
    ]
    assert file.sizes.tolist() == [[image['width'], image['height']] for image in expected]
    assert file.is_annotated.tolist() == [int(image.get('is_annotated', -1)) for image in expected]
    assert file.is_vid_train_frame.tolist() == [image.get('is_vid_train_frame', True) for image in expected]
    for ids in ([5], ['c'], [5, 'c'], []):
        assert file.has_box(ids).tolist() == [
            any(entry['category_id'] in ids and is_ground_truth(entry, image) for entry in entries)
            for image, entries in zip(expected, boxes)
        ]
    found = {(frame.video_id, frame.frame_id): frame[2:] for frame in file.annotated_frames()}
    assert len(found) == len(expected)
    assert list(found.values()) == [
        (bool(entries), image.get('is_annotated')) for image, entries in zip(expected, boxes)
    ]


def test_stills_keep_the_order_of_the_file(tmp_path):
    data = video_data()
    del data['videos']
    data['images'].reverse()
    for image in data['images'][:3]:
        del image['video_id']
    path = tmp_path / 'data.json'
    path.write_text(json.dumps(data))
    file = IndexedCocoVidFile(str(path), by_video=False)
    assert [file.entries(i)[0]['id'] for i in range(len(file))] == list(range(44, 0, -1))
    assert file.video_lengths.tolist() == [1] * 44
    frames = list(file.annotated_frames())
    assert [frame.video_id is None for frame in frames] == [True] * 3 + [False] * 41
    assert frames[3].frame_id == 36 and frames[-1].frame_id == 0


def test_faulty_boxes_are_counted_as_the_metric_counts_them(tmp_path, logged):
    data = video_data()
    data['annotations'][2].update(bbox=[100, 0, 5, 5])
    data['annotations'][4].update(bbox=[0, 0, -1, 5])
    data['annotations'][6].update(area=-1)
    data['annotations'][8].update(bbox=[100, 0, 5, 5], ignore=True)
    data['images'][9]['is_annotated'] = False
    data['annotations'][9].update(area=-1)
    path = tmp_path / 'data.json'
    path.write_text(json.dumps(data))
    IndexedCocoVidFile(str(path)).warn_of_boxes()
    (line,) = logged
    assert line.endswith(
        'data.json: 3 boxes are left out: 1 outside their image, the first being annotations[2]; '
        '1 of negative size, the first being annotations[4]; 1 whose area is 0 or less, the first being annotations[6]'
    )


@pytest.mark.parametrize('part', PARTS)
def test_lists_that_are_none(tmp_path, part):
    path = tmp_path / 'data.json'
    for value, text in ((None, f"must have the field '{part}'"), ('x', f"'{part}' must be a list, got str")):
        path.write_text(json.dumps(dict(video_data(), **{part: value})))
        with pytest.raises(ValueError, match=f'data.json:? {text}$'):
            IndexedCocoVidFile(str(path))
    path.write_text(json.dumps({key: value for key, value in video_data().items() if key != part}))
    with pytest.raises(ValueError, match=f"data.json must have the field '{part}'$"):
        IndexedCocoVidFile(str(path))
    if part == 'videos':
        assert len(IndexedCocoVidFile(str(path), by_video=False)) == 44


def test_memory_of_a_file_is_little_more_than_itself(tmp_path):
    """Python's objects of these entries take ten times the file."""
    data = video_data()
    path = tmp_path / 'data.json'
    path.write_text(json.dumps(data))
    file = IndexedCocoVidFile(str(path))
    held = sum(value.nbytes for value in vars(file).values() if isinstance(value, np.ndarray))
    assert held <= 44 * 200
    assert not [value for value in vars(file).values() if isinstance(value, list) and len(value) >= 44]
