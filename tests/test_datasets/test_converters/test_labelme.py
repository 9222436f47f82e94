# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest

from helpers.annotations import boxes_of, convert, make_images


def shape(label, points, kind='rectangle', group=None, **fields):
    """A shape as LabelMe and X-AnyLabeling write it."""
    return dict(label=label, points=points, shape_type=kind, group_id=group, flags={}, description='', **fields)


def write(root, stem, *shapes, image=None, **fields):
    path = root / f'{stem}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    data = dict(version='5.4.1', flags={}, shapes=list(shapes), imagePath=image or f'{path.stem}.jpg', imageData=None)
    path.write_text(json.dumps(data | dict(imageHeight=48, imageWidth=64) | fields))
    return path


def test_by_hand(tmp_path):
    root = tmp_path / 'clips'
    write(
        root,
        'a/000000',
        shape('car', [[30, 40], [10, 20]], group=5),
        shape('car', [[1, 2], [11, 2], [11, 8], [1, 8]], group=6, difficult=True, score=None, attributes={}),
        image='..\\images\\a\\000000.png',
    )
    write(
        root,
        'a/000001',
        shape('car', [[31, 40], [11, 20]], group=5, attributes=dict(color='red'), score=0.5),
        shape('dog', [[20, 20], [23, 24]], 'circle'),  # radius 5
        shape('dog', [[5, 5], [9, 7], [6, 12]], 'polygon', group=7, difficult='false'),
        shape('dog', [[5, 5], [9, 7]], 'line'),
    )
    data, losses = convert('labelme', root, tmp_path / 'out.json')
    assert data['videos'] == [dict(id=1, name='a')]
    assert [image['file_name'] for image in data['images']] == ['a/000000.png', 'a/000001.jpg']
    assert boxes_of(data) == {
        (0, 'car'): [[10, 20, 20, 20]],
        (0, 'ignore'): [[1, 2, 10, 6]],
        (1, 'car'): [[11, 20, 20, 20]],
        (1, 'dog'): [[15, 15, 10, 10], [5, 5, 4, 7]],
    }
    assert [entry['instance_id'] for entry in data['annotations']] == [1, 2, 1, 3, 4]
    assert sorted(line.split(',')[0] for line in losses) == [
        '1 x attributes and flags were left out',
        '1 x boxes without a track id',
        '1 x scores were left out',
        '1 x shapes of the type circle became boxes',
        '1 x shapes of the type line were left out',
        '1 x shapes of the type polygon became boxes',
    ]


def test_a_file_without_shapes(tmp_path):
    """An empty frame; with the option one that nobody annotated, whoever wrote its file."""
    write(tmp_path / 'j', 'a_1', shape('car', [[0, 0], [9, 9]], group=1))
    write(tmp_path / 'j', 'a_2')
    for annotated_only, expected in ((False, [None, None]), (True, [None, False])):
        out = tmp_path / f'{annotated_only}.json'
        data, _ = convert('labelme', tmp_path / 'j', out, annotated_only=annotated_only)
        assert [image.get('is_annotated') for image in data['images']] == expected


def test_images_without_a_file_were_not_annotated(tmp_path):
    write(tmp_path / 'j', 'a_2', shape('car', [[0, 0], [9, 9]], group=1))
    make_images(tmp_path / 'i', ['a_1.jpg', 'a_2.jpg', 'a_3.jpg', 'b_1.jpg'])
    data, _ = convert('labelme', tmp_path / 'j', tmp_path / 'out.json', frames=tmp_path / 'i')
    assert [(image['file_name'], image.get('is_annotated', True)) for image in data['images']] == [
        ('a_1.jpg', False),
        ('a_2.jpg', True),
        ('a_3.jpg', False),
    ]
    assert boxes_of(data) == {(1, 'car'): [[0, 0, 9, 9]]}


@pytest.mark.parametrize(
    'shapes, fields, message',
    [
        ([shape('car', [[1, 2, 3]])], {}, "shapes[0]: 'points' must be a list of points [x, y]"),
        ([shape('car', [[1, 2]])], {}, 'shapes[0]: a rectangle must have 2 points or more, got 1'),
        ([shape('car', [[1, 2], [3, 4]], 'star')], {}, 'shapes[0]: shape_type must be one of rectangle'),
        ([shape(None, [[1, 2], [3, 4]])], {}, "shapes[0] must have the field 'label'"),
        ([], dict(shapes=None), "must have the field 'shapes'"),
        ([shape('car', [[1, 2], [3, 4]])], dict(imageWidth=None), 'pass --frames DIR, --videos DIR or --size WxH'),
        ([], {}, 'is empty: it has no class'),
    ],
)
def test_bad_files(tmp_path, shapes, fields, message):
    path = write(tmp_path / 'a', 'x_1', *shapes, **fields)
    with pytest.raises(ValueError) as caught:
        convert('labelme', path, tmp_path / 'out.json')
    assert message in str(caught.value) and str(path.parent) in str(caught.value)
