# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest

from helpers.annotations import boxes_of, convert


def item(frame, x, y, width=10.0, height=20.0, enabled=True, rotation=0):
    return dict(frame=frame, enabled=enabled, rotation=rotation, x=x, y=y, width=width, height=height, time=frame / 25)


def region(*sequence, labels=('Car',), region_id='r1', count=8):
    value = dict(framesCount=count, duration=count / 25, sequence=list(sequence))
    if labels:
        value['labels'] = list(labels)
    return dict(
        value=value, id=region_id, from_name='box', to_name='video', type='videorectangle', origin='manual', meta={}
    )


def task(*results, video='/data/upload/3/1a2b3c4d-cross%20road.mp4', **fields):
    annotation = dict(id=1, completed_by=1, result=list(results), was_cancelled=False, ground_truth=False)
    return dict(id=5, annotations=[annotation], data=dict(video=video), meta={}, project=3) | fields


@pytest.fixture
def read(tmp_path):
    def call(data, **options):
        path = tmp_path / 'project-3.json'
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        options = dict(size=(200, 100)) | options
        return convert('label-studio', path, tmp_path / 'out.json', overwrite=True, **options)

    return call


def test_lifespans_by_hand(read):
    """Percents of 200 x 100. In sight in 1 to 4, where it is switched off, and from 6 on."""
    sequence = [item(1, 10, 20), item(3, 20, 20), item(4, 20, 30, enabled=False), item(6, 50, 50)]
    data, losses = read([task(region(*sequence), region(item(8, 0, 0), labels=['Dog'], region_id='r2'))])
    assert losses == []
    assert boxes_of(data) == {
        (0, 'Car'): [[20, 20, 20, 20]],
        (1, 'Car'): [[30, 20, 20, 20]],
        (2, 'Car'): [[40, 20, 20, 20]],
        (3, 'Car'): [[40, 30, 20, 20]],
        (5, 'Car'): [[100, 50, 20, 20]],
        (6, 'Car'): [[100, 50, 20, 20]],
        (7, 'Car'): [[100, 50, 20, 20]],
        (7, 'Dog'): [[0, 0, 20, 20]],
    }
    assert [entry['interpolated'] for entry in data['annotations']][:4] == [False, True, False, False]
    assert data['videos'] == [dict(id=1, name='cross road')]
    assert len(data['images']) == 8


def test_exported_interpolated_boxes_are_no_keyframes(read):
    """``auto`` marks the boxes that Label Studio adds to an export with interpolated frames."""
    added = [dict(item(frame, x, 20), auto=True) for frame, x in ((2, 15), (3, 20))]
    data, _ = read([task(region(item(1, 10, 20), *added, item(4, 25, 20, enabled=False), count=4))])
    assert boxes_of(data) == {(i, 'Car'): [[20 + 10 * i, 20, 20, 20]] for i in range(4)}
    assert [entry['keyframe'] for entry in data['annotations']] == [True, False, False, True]
    assert [entry['interpolated'] for entry in data['annotations']] == [False, True, True, False]


def test_rotation_is_about_the_first_corner(read):
    """20 x 20 pixels at (100, 50), turned by 90 degrees clockwise: to the left of the corner."""
    data, losses = read([task(region(item(8, 50, 50, rotation=90)))])
    assert boxes_of(data) == {(7, 'Car'): [[80, 50, 20, 20]]}
    assert losses[0].startswith('1 x rotated boxes became upright boxes')


def test_json_min_and_labels_of_their_own(read):
    value = dict(framesCount=2, duration=1, sequence=[item(2, 0, 0)], labels=['Car'])
    data, _ = read([dict(id=1, video='http://x.org/a.mp4?sig=1', box=[value])])
    assert boxes_of(data, 'a') == {(1, 'Car'): [[0, 0, 20, 20]]}
    labels = dict(id='r1', type='labels', value=dict(labels=['Bus']), from_name='l', to_name='video')
    data, _ = read([task(region(item(8, 0, 0), labels=()), labels, video='/data/local-files/?d=v/b.mp4')])
    assert boxes_of(data, 'b') == {(7, 'Bus'): [[0, 0, 20, 20]]}


def test_what_is_left_out_is_counted(read):
    other = dict(id='c', type='choices', value=dict(choices=['night']), from_name='c', to_name='video')
    data = task(region(item(8, 0, 0), labels=['Car', 'Red']), other)
    data['annotations'] = [dict(data['annotations'][0], was_cancelled=True), *data['annotations'] * 2]
    _, losses = read([data])
    assert [line.split(',')[0] for line in losses] == [
        '1 x further annotations of a task were left out',
        '1 x results of the type choices were left out',
        '1 x further labels of a region were left out',
    ]


@pytest.mark.parametrize(
    'data, message',
    [
        ([task(region(item(9, 0, 0)))], 'result[0]: frame 9 is beyond the video, which has 8 frames'),
        ([task(region(item(1, None, 0)))], "result[0]: sequence[0] must have the field 'x'"),
        ([task(region(item(1, 'a', 0)))], "result[0]: sequence[0]: 'x' must be a finite number, got 'a'"),
        ([task(region(item(1, 0, 0), labels=()))], "result[0]: 'labels' must be a list with the class of the region"),
        ([dict(id=1)], 'task[0] names no video'),
        ([], 'is empty'),
        ('[{"id": 1,', 'truncated or broken JSON'),
    ],
)
def test_bad_files(read, data, message):
    with pytest.raises(ValueError) as caught:
        read(data)
    assert message in str(caught.value) and 'project-3.json' in str(caught.value)


def test_size_is_required(read):
    with pytest.raises(ValueError, match='pass --frames DIR, --videos DIR or --size WxH'):
        read([task(region(item(1, 0, 0)))], size=None)
