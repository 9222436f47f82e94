# Copyright (c) mmrdn contributors. All rights reserved.
"""CVAT for images 1.1."""

from helpers.annotations import boxes_of
from helpers.cvat_xml import IMAGES


def test_images_by_hand(read_cvat):
    data, losses = read_cvat(IMAGES, 'cvat-images')
    assert data['videos'] == [dict(id=1, name='clip a')]
    assert [image['file_name'][-10:] for image in data['images']] == ['000000.png', '000002.png', '000010.png']
    assert boxes_of(data) == {
        (0, 'car'): [[10, 20, 20.5, 40]],
        (1, 'car'): [[12, 20, 20, 40]],
        (1, 'dog'): [[1, 2, 2, 2]],
    }
    assert [entry['instance_id'] for entry in data['annotations']] == [1, 1, 2]
    assert [entry['occluded'] for entry in data['annotations']] == [True, False, False]
    assert sorted(line.split(',')[0] for line in losses) == [
        '1 x <tag> were left out',
        '1 x attributes were left out',
        '1 x boxes without a track id',
    ]
