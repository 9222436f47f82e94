# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest

from helpers.annotations import boxes_of, convert, make_images
from helpers.videos import noise, write_mp4
from mmrdn.datasets.converters.conversion import convert_to_coco_vid
from mmrdn.datasets.converters.video_directory import VideoDirectory

INFO = '[Sequence]\nname=MOT17-02-SDP\nimDir=img1\nframeRate=30\nseqLength=4\nimWidth=1920\nimHeight=1080\nimExt=.jpg\n'
ROWS = (
    '1,1,912,484,97,109,1,1,0.86\n'
    '2,1,913,484,97,109,1,1,0.25\n'
    '1,2,1338,418,167,379,0,7,1\n'  # a static person
    '3,3,101,201,30,40,1,3,1\n'  # a car
)


@pytest.fixture
def sequence(tmp_path):
    root = tmp_path / 'train' / 'MOT17-02-SDP'
    (root / 'gt').mkdir(parents=True)
    (root / 'gt' / 'gt.txt').write_text(ROWS)
    (root / 'seqinfo.ini').write_text(INFO)
    return root


@pytest.mark.parametrize('level', ['train', 'sequence', 'file'])
def test_sequence_by_hand(sequence, tmp_path, level):
    path = dict(train=sequence.parent, sequence=sequence, file=sequence / 'gt' / 'gt.txt')[level]
    data, losses = convert('mot', path, tmp_path / 'out.json')
    assert boxes_of(data) == {
        (0, 'pedestrian'): [[912, 484, 97, 109]],
        (1, 'pedestrian'): [[913, 484, 97, 109]],
        (0, 'ignore'): [[1338, 418, 167, 379]],
        (2, 'car'): [[101, 201, 30, 40]],
    }
    assert [category['name'] for category in data['categories']] == ['pedestrian', 'car']
    assert [entry['occluded'] for entry in data['annotations']] == [False, False, True, False]
    assert [image['file_name'] for image in data['images']] == [f'MOT17-02-SDP/img1/00000{i}.jpg' for i in (1, 2, 3, 4)]
    assert losses == [
        f'2 x visibilities became occluded (below 0.5) or not, first at {sequence / "gt" / "gt.txt"}: line 1'
    ]


def test_classes_that_are_not_wanted_are_ignored(sequence, tmp_path):
    data, _ = convert('mot', sequence, tmp_path / 'out.json', classes=['pedestrian'])
    assert boxes_of(data)[2, 'ignore'] == [[101, 201, 30, 40]]
    assert [category['name'] for category in data['categories']] == ['pedestrian']


def test_export_of_cvat(tmp_path):
    """labels.txt, no seqinfo.ini; the images say how many frames there are."""
    (tmp_path / 'a' / 'gt').mkdir(parents=True)
    (tmp_path / 'a' / 'gt' / 'gt.txt').write_text('2,5,10.5,20,30,40,1,2,1.0\n')
    (tmp_path / 'a' / 'gt' / 'labels.txt').write_text('cat\ndog\n')
    make_images(tmp_path / 'frames', [f'a/frame_00000{i}.png' for i in range(1, 4)])
    data, _ = convert('mot', tmp_path / 'a', tmp_path / 'out.json', frames=tmp_path / 'frames')
    assert boxes_of(data) == {(1, 'dog'): [[10.5, 20, 30, 40]]}
    assert [image['file_name'] for image in data['images']] == [f'a/frame_00000{i}.png' for i in (1, 2, 3)]
    assert [category['name'] for category in data['categories']] == ['cat', 'dog']


def test_rows_of_mot15_and_without_tracks(tmp_path):
    path = tmp_path / 'ADL.txt'
    path.write_text('1,1,1,1,10,20,1,-1,-1,-1\n2,-1,5,5,10,20,1,-1,-1,-1\n2,-1,7,5,10,20,1,-1,-1,-1\n')
    data, losses = convert('mot', path, tmp_path / 'out.json', size=(99, 99), classes=['pedestrian'])
    assert boxes_of(data) == {(0, 'pedestrian'): [[1, 1, 10, 20]], (1, 'pedestrian'): [[5, 5, 10, 20], [7, 5, 10, 20]]}
    assert [entry['instance_id'] for entry in data['annotations']] == [1, 2, 3]
    assert losses[0].startswith('2 x boxes without a track id, each became a separate instance')


def test_commas_at_the_ends_of_lines(sequence, tmp_path):
    """They do not make rows of ten columns, which have no class."""
    expected, _ = convert('mot', sequence, tmp_path / 'out.json')
    path = sequence / 'gt' / 'gt.txt'
    path.write_text(ROWS.replace('\n', ',\n'))
    data, _ = convert('mot', sequence, tmp_path / 'commas.json')
    assert boxes_of(data) == boxes_of(expected)


def test_rows_of_visdrone(tmp_path):
    path = tmp_path / 'uav.txt'
    path.write_text('1,0,593,43,17,19,1,4,0,1\n1,1,0,0,9,9,0,0,-1,-1\n')
    with pytest.raises(ValueError) as caught:
        convert('mot', path, tmp_path / 'out.json', size=(999, 99))
    assert str(caught.value).startswith(f'{path}: line 1: columns 7 to 10 look like score,category,truncation')
    assert str(caught.value).endswith('it looks like the format visdrone')


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('2,1,913', '5,1,913', 'line 2: frame 5 is beyond the video, which has 4 frames'),
        ('2,1,913', '0,1,913', 'line 2: frame 0 is before the first frame of the video'),
        ('1,3,1\n', '1,14,1\n', 'line 4: unknown class 14, expected 1 to 13'),
        ('484,97', 'x,97', "line 1: top must be a number, got 'x'"),
        ('1,1,912,484,97,109,1,1,0.86', '1,1,912', 'line 2: 9 columns, expected 3, as in the first row'),
        # Files that were cut off; without this check, the class would be lost.
        (',0.25', '', 'line 2: 8 columns, expected 9, as in the first row'),
        ('1,3,1\n', '1,', 'line 4: 7 columns, expected 9, as in the first row'),
    ],
)
def test_bad_rows(sequence, tmp_path, old, new, message):
    path = sequence / 'gt' / 'gt.txt'
    path.write_text(ROWS.replace(old, new, 1))
    with pytest.raises(ValueError) as caught:
        convert('mot', path, tmp_path / 'out.json')
    assert f'{path}: {message}' in str(caught.value)


@pytest.mark.parametrize(
    'content, message',
    [
        ('', 'is empty'),
        ('1,1,912\n', 'line 1: expected frame,id,left'),
        ('1 2 Car 0 0 -1.5 1 2 3 4 1 1 1 1 1 1 1\n', 'it looks like the format kitti'),
        ('0 0.5 0.5 0.1 0.1\n', 'it looks like the format yolo'),
    ],
)
def test_other_files(sequence, tmp_path, content, message):
    path = sequence / 'gt' / 'gt.txt'
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        convert('mot', path, tmp_path / 'out.json')
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match='not a text file'):
        convert('mot', path, tmp_path / 'out.json')


def test_frames_are_found_whatever_their_format(tmp_path):
    """Those that sources of frames read: images by any of their suffixes, video files too."""
    (tmp_path / 'a.txt').write_text('1,1,1,2,10,20,1,1,1\n3,1,2,2,10,20,1,1,1\n')
    make_images(tmp_path / 'images', [f'a/{i}.ppm' for i in (1, 2, 10)], size=(64, 48))
    data, _ = convert('mot', tmp_path / 'a.txt', tmp_path / 'images.json', frames=tmp_path / 'images')
    named = [(image['file_name'], image['width'], image['height']) for image in data['images']]
    assert named == [(f'a/{i}.ppm', 64, 48) for i in (1, 2, 10)]
    write_mp4(tmp_path / 'a.mp4', noise(3, (48, 64))).rename(tmp_path / 'a.mts')
    convert_to_coco_vid('mot', [tmp_path / 'a.txt'], tmp_path / 'videos.json', VideoDirectory(tmp_path))
    images = json.loads((tmp_path / 'videos.json').read_text())['images']
    assert [(image['file_name'], image['width']) for image in images] == [(f'a.mts/{i:06d}', 64) for i in range(3)]
