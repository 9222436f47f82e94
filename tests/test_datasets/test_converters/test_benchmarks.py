# Copyright (c) mmrdn contributors. All rights reserved.
"""VisDrone-VID and KITTI tracking."""

import pytest

from helpers.annotations import boxes_of, convert, make_images

VISDRONE = (
    '1,0,593,43,174,190,0,0,0,0\n'  # an ignored region
    '1,3,592,10,30,40,1,4,0,1\n'
    '3,3,593,10,30,40,1,4,1,0\n'
    '3,4,1,2,3,4,0,1,0,0\n'
    '2,5,7,8,9,10,1,11,0,0\n'  # others
)
KITTI = (
    '0 -1 DontCare -1 -1 -10.000000 219.310000 188.490000 245.500000 218.560000 -1000 -1000 -1000 -10 -1 -1 -1\n'
    '0 2 Pedestrian 0 2 -2.523309 1106.137292 166.576807 1204.470628 323.876144 1.71 0.54 0.96 6.3 1.6 7.4 -1.8\n'
    '2 2 Pedestrian 0 3 -2.5 10.5 20 30 60 1.71 0.54 0.96 6.3 1.6 7.4 -1.8\n'
)


def test_visdrone_by_hand(tmp_path):
    root = tmp_path / 'VisDrone2019-VID-val'
    (root / 'annotations').mkdir(parents=True)
    (root / 'annotations' / 'uav0000086_00000_v.txt').write_text(VISDRONE)
    data, losses = convert('visdrone', root, tmp_path / 'out.json', size=(1904, 1071))
    assert boxes_of(data) == {
        (0, 'ignore'): [[593, 43, 174, 190]],
        (0, 'car'): [[592, 10, 30, 40]],
        (1, 'ignore'): [[7, 8, 9, 10]],
        (2, 'car'): [[593, 10, 30, 40]],
        (2, 'ignore'): [[1, 2, 3, 4]],
    }
    cars = [entry for entry in data['annotations'] if entry['category_id'] == 4]
    assert [entry['occluded'] for entry in cars] == [True, False]
    assert len({entry['instance_id'] for entry in cars}) == 1 and len(data['categories']) == 10
    assert data['images'][0]['file_name'] == 'uav0000086_00000_v/0000001.jpg'
    make_images(root / 'sequences' / 'uav0000086_00000_v', [f'{i:07d}.jpg' for i in range(1, 6)])
    data, _ = convert('visdrone', root, tmp_path / 'out2.json', classes=['car'])
    assert len(data['images']) == 5 and {image['width'] for image in data['images']} == {64}
    assert losses == []


def test_an_empty_file_of_visdrone_is_counted(tmp_path):
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x' / 'a.txt').write_text('2,3,592,10,30,40,1,1,0,1')
    (tmp_path / 'x' / 'b.txt').write_text('')
    data, losses = convert('visdrone', tmp_path / 'x', tmp_path / 'out.json', size=(1000, 600))
    assert [image['video_id'] for image in data['images']] == [1, 1, 2]
    assert losses == [f'1 x empty files, first at {tmp_path / "x" / "b.txt"}']


def test_visdrone_stills(tmp_path):
    (tmp_path / 'x_0001.txt').write_text('684,8,273,116,0,0,0,0\n406,119,265,70,1,1,0,0,\n')
    data, losses = convert('visdrone', tmp_path / 'x_0001.txt', tmp_path / 'out.json', size=(1000, 600))
    assert boxes_of(data, 'x') == {(0, 'ignore'): [[684, 8, 273, 116]], (0, 'pedestrian'): [[406, 119, 265, 70]]}
    assert losses[0].startswith('1 x boxes without a track id')


def test_a_still_without_a_file_is_not_annotated(tmp_path):
    """An empty file is an image without objects."""
    make_images(tmp_path / 'images', [f'x_{i}.jpg' for i in (1, 2, 3)], size=(64, 48))
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x' / 'x_1.txt').write_text('6,8,27,11,1,1,0,0\n')
    (tmp_path / 'x' / 'x_3.txt').write_text('')
    data, _ = convert('visdrone', tmp_path / 'x', tmp_path / 'out.json', frames=tmp_path / 'images')
    found = [(image['file_name'], image.get('is_annotated')) for image in data['images']]
    assert found == [('x_1.jpg', None), ('x_2.jpg', False), ('x_3.jpg', None)]
    assert boxes_of(data) == {(0, 'pedestrian'): [[6, 8, 27, 11]]}


@pytest.mark.parametrize(
    'row, message',
    [
        ('1,3,592,10,30,40,1,12,0,1', 'line 1: unknown class 12, expected 0 to 11'),
        ('0,3,592,10,30,40,1,1,0,1', 'line 1: frame 0 is before the first frame of the video'),
        ('1,3,592,10,30,40,1,1,0', 'line 1: expected frame, track, left'),
        ('1,3,592,10,x,40,1,1,0,1', "line 1: width must be a number, got 'x'"),
        ('1,3,592,10,3,40,1,1,0,1', 'pass --frames DIR, --videos DIR or --size WxH'),
        ('1 3 Car 0 0 0 1 2 3 4 0 0 0 0 0 0 0', 'it looks like the format kitti'),
    ],
)
def test_bad_rows_of_visdrone(tmp_path, row, message):
    path = tmp_path / 'v.txt'
    path.write_text(row)
    with pytest.raises(ValueError) as caught:
        convert('visdrone', path, tmp_path / 'out.json')
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_kitti_by_hand(tmp_path):
    root = tmp_path / 'training'
    (root / 'label_02').mkdir(parents=True)
    (root / 'label_02' / '0003.txt').write_text(KITTI)
    for path in (tmp_path, root, root / 'label_02'):
        data, losses = convert('kitti', path, tmp_path / 'out.json', size=(1242, 375), overwrite=True)
        assert boxes_of(data, '0003') == {
            (0, 'ignore'): [[219.31, 188.49, 26.19, 30.07]],
            (0, 'Pedestrian'): [[1106.1373, 166.5768, 98.3333, 157.2993]],
            (2, 'Pedestrian'): [[10.5, 20, 19.5, 40]],
        }
        assert [entry['occluded'] for entry in data['annotations']] == [False, True, False]
        assert [image['file_name'] for image in data['images']] == [f'0003/00000{i}.png' for i in range(3)]
        assert losses[0].startswith('2 x boxes in space were left out')


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('Pedestrian', 'Yak', "line 2: unknown class 'Yak', expected Car, Van"),
        ('0 -1 DontCare', '-1 -1 DontCare', 'line 1: frame -1 is before the first frame of the video'),
        (' -1.8\n2', '\n2', 'line 2: expected 17 columns'),
        ('10.5', 'x', "line 3: left must be a number, got 'x'"),
    ],
)
def test_bad_rows_of_kitti(tmp_path, old, new, message):
    path = tmp_path / '0000.txt'
    path.write_text(KITTI.replace(old, new))
    with pytest.raises(ValueError) as caught:
        convert('kitti', path, tmp_path / 'out.json', size=(1242, 375))
    assert f'{path}: {message}' in str(caught.value)
