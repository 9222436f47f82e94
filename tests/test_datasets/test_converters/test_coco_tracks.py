# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest

from helpers.annotations import boxes_of, convert
from mmrdn.datasets.converters.loose_frames import group_frames

DATA = dict(
    images=[
        dict(id=3, file_name='a/frame_000002.jpg', width=64, height=48),
        dict(id=1, file_name='a/frame_000000.jpg', width=64, height=48),
        dict(id=2, file_name='b/frame_000000.jpg', width=32, height=24),
    ],
    categories=[dict(id=5, name='cat', supercategory=''), dict(id=2, name='dog')],
    annotations=[
        dict(id=1, image_id=1, category_id=2, bbox=[1, 2, 3, 4], area=12, iscrowd=0, segmentation=[])
        | dict(attributes=dict(occluded=True, rotation=0.0, track_id=9, keyframe=True)),
        dict(id=2, image_id=3, category_id=2, bbox=[2, 2, 3, 4], area=12, iscrowd=0, segmentation=[])
        | dict(attributes=dict(occluded=False, rotation=0.0, track_id=9, keyframe=False)),
        dict(id=3, image_id=2, category_id=5, iscrowd=0, segmentation=[[1, 2, 9, 2, 9, 12]], area=40),
        dict(id=4, image_id=2, category_id=5, iscrowd=1, bbox=[0, 0, 9, 9], area=81)
        | dict(segmentation=dict(size=[24, 32], counts=[0, 768])),
        # Column by column: 24 * 2 + 3 zeros, then 5 ones: x 2, y 3 to 8.
        dict(id=5, image_id=2, category_id=5, segmentation=dict(size=[24, 32], counts=[51, 5, 712])),
    ],
)


def write(tmp_path, **changes):
    path = tmp_path / 'instances_default.json'
    path.write_text(json.dumps(DATA | changes))
    return path


def test_export_of_cvat_by_hand(tmp_path):
    data, losses = convert('coco', write(tmp_path), tmp_path / 'out.json')
    assert [video['name'] for video in data['videos']] == ['a', 'b']
    assert [(image['file_name'], image['frame_id']) for image in data['images']] == [
        ('a/frame_000000.jpg', 0),
        ('a/frame_000002.jpg', 1),
        ('b/frame_000000.jpg', 0),
    ]
    assert boxes_of(data, 'a') == {(0, 'dog'): [[1, 2, 3, 4]], (1, 'dog'): [[2, 2, 3, 4]]}
    assert boxes_of(data, 'b') == {(0, 'cat'): [[1, 2, 8, 10], [2, 3, 1, 5]], (0, 'ignore'): [[0, 0, 9, 9]]}
    assert [entry['instance_id'] for entry in data['annotations']][:2] == [1, 1]
    assert [entry['keyframe'] for entry in data['annotations']][:2] == [True, False]
    assert [line.split(',')[0] for line in losses] == ['2 x segmentations became boxes', '2 x boxes without a track id']
    assert [category['name'] for category in data['categories']] == ['cat', 'dog']


def test_coco_vid_of_this_package_comes_back(tmp_path):
    first, _ = convert('coco', write(tmp_path), tmp_path / 'first.json')
    second, _ = convert('coco', tmp_path / 'first.json', tmp_path / 'second.json')
    assert first == second


@pytest.mark.parametrize(
    'part, i, changes, message',
    [
        ('annotations', 0, dict(category_id=7), 'annotations[0]: unknown class 7'),
        ('annotations', 1, dict(image_id=8), "annotations[1]: image_id 8 is not among the file's images"),
        ('annotations', 0, dict(bbox=[1, 2, 3]), "annotations[0]: 'bbox' must be four finite numbers"),
        ('annotations', 2, dict(segmentation=[[1]]), 'annotations[2]: segmentation must be polygons'),
        ('annotations', 4, dict(segmentation=dict(size=[24, 32], counts=[1])), 'annotations[4]: segmentation.counts'),
        ('annotations', 4, dict(segmentation=dict(size=[24, 32], counts='o')), 'annotations[4]: segmentation.counts'),
        ('images', 1, dict(is_annotated=None), "images[1]: 'is_annotated' must be true or false, got null"),
        ('images', 1, dict(id=3), 'images[1]: id 3 is there twice'),
        ('images', 1, dict(width=None), 'lacks the width and height of frames: pass --frames DIR'),
    ],
)
def test_bad_fields(tmp_path, part, i, changes, message):
    entries = [dict(entry) for entry in DATA[part]]
    entries[i].update(changes)
    path = write(tmp_path, **{part: entries})
    with pytest.raises(ValueError) as caught:
        convert('coco', path, tmp_path / 'out.json')
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_frames_that_nobody_annotated_stay_so(tmp_path):
    images = [dict(image, **said) for image, said in zip(DATA['images'], (dict(is_annotated=False), {}, {}))]
    images[1]['is_annotated'], images[2]['is_vid_train_frame'] = True, False
    data, losses = convert('coco', write(tmp_path, images=images), tmp_path / 'out.json')
    # The first image of the file is the second frame of its video.
    assert [image.get('is_annotated') for image in data['images']] == [True, False, None]
    (loss,) = [line for line in losses if 'train_frame' in line]
    assert loss.startswith('1 x "is_vid_train_frame": false was left out') and 'image 2' in loss


@pytest.mark.parametrize('annotated_only', [False, True])
def test_what_a_file_says_of_its_frames_stays(tmp_path, annotated_only):
    """Three frames have no drawn box: somebody saw the first, nobody the second; the last has a computed box."""
    said = (True, False, None, None)
    images = [
        dict(id=i, file_name=f'a/{i}.jpg', width=64, height=48) | ({} if value is None else dict(is_annotated=value))
        for i, value in enumerate(said)
    ]
    boxes = [
        dict(id=i, image_id=i, category_id=2, bbox=[i, 2, 3, 4], instance_id=1, keyframe=drawn)
        for i, drawn in ((0, False), (1, True), (2, False), (3, True))
    ]
    path = write(tmp_path, images=images, annotations=boxes)
    data, losses = convert('coco', path, tmp_path / 'out.json', annotated_only=annotated_only)
    expected = [True, False, False if annotated_only else None, None]
    assert [image.get('is_annotated') for image in data['images']] == expected
    kept = [0, 1, 3] if annotated_only else [0, 1, 2, 3]
    assert boxes_of(data) == {(i, 'dog'): [[i, 2, 3, 4]] for i in kept}
    assert len(losses) == annotated_only


@pytest.mark.parametrize('frame_ids, num_renumbered', [((1, 0), 0), ((0, 5), 1), ((2, 1), 1)])
def test_frame_ids_with_gaps(tmp_path, frame_ids, num_renumbered):
    """Frames stay in order and get numbers from 0; that, and scores, are counted."""
    images = [image | dict(video_id=1, frame_id=number) for image, number in zip(_two_images(), frame_ids)]
    boxes = [dict(image_id=i, category_id=2, bbox=[i, 2, 3, 4], instance_id=1, score=0.5) for i in range(2)]
    data, losses = convert('coco', write(tmp_path, images=images, annotations=boxes), tmp_path / 'out.json')
    first = frame_ids[1] < frame_ids[0]
    assert boxes_of(data) == {(0, 'dog'): [[first, 2, 3, 4]], (1, 'dog'): [[not first, 2, 3, 4]]}
    assert sum('whose frame_id did not count 0, 1, 2 ... were numbered so' in line for line in losses) == num_renumbered
    assert [line.split(',')[0] for line in losses][num_renumbered:] == ['2 x scores were left out']


def test_frame_ids_that_are_twice_or_null(tmp_path):
    """Null is as good as missing: the names group the images."""
    images = [image | dict(video_id=1, frame_id=3) for image in _two_images()]
    with pytest.raises(ValueError, match='the images 0 and 1 of the video 1 have the same frame_id 3'):
        convert('coco', write(tmp_path, images=images, annotations=[]), tmp_path / 'out.json')
    images[1]['frame_id'] = None
    boxes = [dict(image_id=1, category_id=2, bbox=[1, 2, 3, 4], instance_id=1)]
    data, _ = convert('coco', write(tmp_path, images=images, annotations=boxes), tmp_path / 'out.json')
    assert boxes_of(data) == {(1, 'dog'): [[1, 2, 3, 4]]} and data['videos'] == [dict(id=1, name='a')]


def _two_images():
    return [dict(id=i, file_name=f'a/img_{i}.png', width=100, height=50) for i in range(2)]


def test_truncated_and_foreign_files(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(ValueError, match='truncated or broken JSON'):
        convert('coco', path, tmp_path / 'out.json')
    path.write_text('{"version": "5.0", "shapes": [], "imagePath": "a.jpg"}')
    with pytest.raises(ValueError, match='it looks like the format labelme'):
        convert('coco', path, tmp_path / 'out.json')


def test_group_frames():
    names = ['b_10.jpg', 'b_9.jpg', 'x/frame_000001.PNG', 'x/frame_000000.PNG', 'y/0002.png', '7.png', 'c mp4-3.txt']
    names += ['clip_mp4-0012_jpg.rf.0a1b2c.jpg', 'v2/img/000001.jpg', 'frame3.jpg', 'still.jpg']
    assert group_frames(names, 'all') == {
        'b': ['b_9.jpg', 'b_10.jpg'],
        'x': ['x/frame_000000.PNG', 'x/frame_000001.PNG'],
        'y': ['y/0002.png'],
        'all': ['frame3.jpg', '7.png'],
        'c mp4': ['c mp4-3.txt'],
        'clip_mp4': ['clip_mp4-0012_jpg.rf.0a1b2c.jpg'],
        'v2': ['v2/img/000001.jpg'],
        'still': ['still.jpg'],
    }
    pattern = r'cam(?P<video>\d)_t(?P<frame>\d+)_x1'
    assert group_frames(['cam1_t2_x1.png', 'cam1_t1_x1.png'], 'all', pattern) == {
        '1': ['cam1_t1_x1.png', 'cam1_t2_x1.png']
    }
    with pytest.raises(ValueError, match='would both be frame 1 of the video a'):
        group_frames(['a_1.png', 'a_01.png'], 'all')
    with pytest.raises(ValueError, match='does not match --video-pattern'):
        group_frames(['b.png'], 'all', pattern)
    with pytest.raises(ValueError, match='expected the groups'):
        group_frames(['b.png'], 'all', '(a)')
