# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest

from helpers.annotations import boxes_of, convert

# Column by column of 24 x 32: 24 * 2 + 3 zeros, 5 ones: x 2, y 3 to 8.
MASK = dict(size=[24, 32], counts=[51, 5, 712])
DATA = dict(
    info={},
    licenses=[],
    categories=[dict(id=1, name='person', supercategory='object'), dict(id=4, name='dog', supercategory='object')],
    videos=[
        dict(id=1, width=32, height=24, length=3, file_names=['0065b171f9/00000.jpg', '0065b171f9/00005.jpg'])
        | dict(date_captured='', license=1, flickr_url='', coco_url=''),
        dict(id=2, width=64, height=48, length=1, file_names=['b/00000.jpg']),
    ],
    annotations=[
        dict(id=1, video_id=1, category_id=4, iscrowd=0, length=1, width=32, height=24)
        | dict(bboxes=[None, [1.0, 2.0, 3.0, 4.0]], areas=[None, 12], segmentations=[None, MASK])
        | dict(occlusion=['no_occlusion', 'severe_occlusion']),
        dict(id=2, video_id=1, category_id=1, iscrowd=0, segmentations=[MASK, None], areas=[5, None]),
        dict(id=3, video_id=2, category_id=1, iscrowd=1, bboxes=[[0, 0, 9, 9]]),
    ],
)


def write(tmp_path, **changes):
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(DATA | changes))
    return path


def test_by_hand(tmp_path):
    data, losses = convert('ytvis', write(tmp_path), tmp_path / 'out.json')
    assert data['videos'] == [dict(id=1, name='0065b171f9'), dict(id=2, name='b')]
    assert [image['file_name'] for image in data['images']] == [
        '0065b171f9/00000.jpg',
        '0065b171f9/00005.jpg',
        'b/00000.jpg',
    ]
    assert boxes_of(data, '0065b171f9') == {(0, 'person'): [[2, 3, 1, 5]], (1, 'dog'): [[1, 2, 3, 4]]}
    assert boxes_of(data, 'b') == {(0, 'ignore'): [[0, 0, 9, 9]]}
    assert [(entry['instance_id'], entry['occluded']) for entry in data['annotations']] == [
        (2, False),
        (1, True),
        (3, False),
    ]
    assert losses[0].startswith('2 x masks became boxes')


@pytest.mark.parametrize(
    'i, changes, message',
    [
        (0, dict(bboxes=[None]), 'annotations[0]: bboxes must be a list of 2, one for each frame, got 1'),
        (0, dict(bboxes=[None, [1, 2, 3]]), 'annotations[0]: bboxes[1] must be four finite numbers'),
        (0, dict(category_id=2), 'annotations[0]: unknown class 2'),
        (0, dict(video_id=7), "annotations[0]: video_id 7 is not among the file's videos"),
        (1, dict(segmentations=None), 'annotations[1] has neither bboxes nor segmentations'),
    ],
)
def test_bad_fields(tmp_path, i, changes, message):
    entries = [dict(entry) for entry in DATA['annotations']]
    entries[i].update(changes)
    path = write(tmp_path, annotations=entries)
    with pytest.raises(ValueError) as caught:
        convert('ytvis', path, tmp_path / 'out.json')
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_another_format_is_named(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(ValueError, match="must have the field 'videos'; it looks like the format coco"):
        convert('ytvis', path, tmp_path / 'out.json')
