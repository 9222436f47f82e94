# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from helpers.annotations import boxes_of, convert, make_images

# Boxes of 64 x 48 pixels: center (16, 12), 32 x 24 is (0, 0, 32, 24); center (32, 24), 16 x 12 is (24, 18, 16, 12).
FIRST, SECOND = '0.25 0.25 0.5 0.5', '0.5 0.5 0.25 0.25'


def write(root, rows, names='names: [cat, dog]\n'):
    (root / 'labels' / 'train').mkdir(parents=True)
    if names:
        (root / 'data.yaml').write_text(f'path: .\ntrain: images/train\n{names}')
    for stem, text in rows.items():
        (root / 'labels' / 'train' / f'{stem}.txt').write_text(text)
    return root


def test_data_set_with_images(tmp_path):
    """The frame without a text file shows nothing."""
    root = write(tmp_path / 'a', dict(clip_2=f'1 {FIRST}\n\n', clip_10=f'1 {FIRST}\n0 {SECOND}\n'))
    make_images(root / 'images' / 'train', ['clip_2.png', 'clip_10.png', 'clip_9.png'])
    data, losses = convert('yolo', root / 'data.yaml', tmp_path / 'out.json')
    assert [image['file_name'] for image in data['images']] == [f'train/clip_{i}.png' for i in (2, 9, 10)]
    assert boxes_of(data) == {
        (0, 'dog'): [[0, 0, 32, 24]],
        (2, 'dog'): [[0, 0, 32, 24]],
        (2, 'cat'): [[24, 18, 16, 12]],
    }
    assert [entry['instance_id'] for entry in data['annotations']] == [1, 2, 3]
    assert len(losses) == 1 and losses[0].startswith('3 x boxes without a track id')


@pytest.mark.parametrize('inside, images', [('', '{}/images/'), ('train', '')])
def test_parts_with_images_and_labels_each(tmp_path, inside, images):
    """As Roboflow exports: names have a further dot, and the same one may be in several parts."""
    root, name = tmp_path / 'a', 'v_mp4-0003_jpg.rf.0123abcd'
    for part, row in dict(train=f'0 {FIRST}', valid=f'1 {SECOND}').items():
        make_images(root / part / 'images', [f'{name}.jpg', 'w_1.jpg'])
        (root / part / 'labels').mkdir()
        (root / part / 'labels' / f'{name}.txt').write_text(row)
        (root / part / 'labels' / 'w_1.txt').write_text(row)
    data, _ = convert('yolo', root / inside, tmp_path / 'out.json', classes=['cat', 'dog'])
    parts = [inside] if inside else ['train', 'valid']
    names = [images.format(part) + file for part in parts for file in (f'{name}.jpg', 'w_1.jpg')]
    assert [image['file_name'] for image in data['images']] == names
    assert boxes_of(data, images.format('train') + 'w') == {(0, 'cat'): [[0, 0, 32, 24]]}
    if not inside:
        assert boxes_of(data, 'valid/images/w') == {(0, 'dog'): [[24, 18, 16, 12]]}


def test_several_images_of_one_name(tmp_path):
    root = write(tmp_path / 'a', dict(v_1=f'0 {FIRST}'))
    make_images(tmp_path / 'frames', ['x/v_1.jpg', 'y/v_1.jpg'])
    with pytest.raises(ValueError, match='v_1.txt: several images could be its own: x/v_1.jpg, y/v_1.jpg'):
        convert('yolo', root, tmp_path / 'out.json', frames=tmp_path / 'frames')


def test_images_beside_text_files(tmp_path):
    make_images(tmp_path / 'a', ['v_1.jpg', 'v_2.jpg'])
    (tmp_path / 'a' / 'v_2.txt').write_text(f'0 {FIRST}')
    data, _ = convert('yolo', tmp_path / 'a', tmp_path / 'out.json', classes=['cat'])
    assert [image['file_name'] for image in data['images']] == ['v_1.jpg', 'v_2.jpg']
    assert boxes_of(data) == {(1, 'cat'): [[0, 0, 32, 24]]}


@pytest.mark.parametrize(
    'extra, tracks, kinds',
    [
        (('7', '7', '8'), [1, 1, 2], []),
        (('0.5', '1', '0.25'), [1, 2, 3], ['confidences', 'boxes']),
        (('0.5 7', '1 7', '0.25 8'), [1, 1, 2], ['confidences']),
    ],
)
def test_columns_after_the_box(tmp_path, extra, tracks, kinds):
    rows = dict(v_1=f'0 {FIRST} {extra[0]}', v_2=f'0 {FIRST} {extra[1]}\n0 {SECOND} {extra[2]}')
    root = write(tmp_path / 'a', rows, 'names:\n  0: cat\n  1: dog\n')
    data, losses = convert('yolo', root, tmp_path / 'out.json', size=(64, 48))
    assert boxes_of(data) == {(0, 'cat'): [[0, 0, 32, 24]], (1, 'cat'): [[0, 0, 32, 24], [24, 18, 16, 12]]}
    assert [entry['instance_id'] for entry in data['annotations']] == tracks
    assert [line.split()[2] for line in losses] == kinds


def test_polygons(tmp_path):
    rows = dict(v_1='0 0.25 0.25 0.5 0.25 0.5 0.75\n0 0.25 0.25 0.5 0.25 0.5 0.75 0 0.5\n')
    root = write(tmp_path / 'a', rows)
    data, losses = convert('yolo', root, tmp_path / 'out.json', size=(64, 48))
    assert boxes_of(data) == {(0, 'cat'): [[16, 12, 16, 24], [0, 12, 32, 24]]}
    assert losses[0].startswith('2 x polygons became boxes')


def test_class_names_of_the_command_line(tmp_path):
    root = write(tmp_path / 'a', dict(v_1=f'1 {FIRST}'), names='')
    with pytest.raises(ValueError, match='no class names: add data.yaml or classes.txt, or pass --classes'):
        convert('yolo', root, tmp_path / 'out.json', size=(64, 48))
    data, _ = convert('yolo', root, tmp_path / 'out.json', size=(64, 48), classes=['x', 'y'])
    assert boxes_of(data) == {(0, 'y'): [[0, 0, 32, 24]]}
    (root / 'classes.txt').write_text('p\nq\n')
    data, _ = convert('yolo', root, tmp_path / 'out2.json', size=(64, 48))
    assert boxes_of(data) == {(0, 'q'): [[0, 0, 32, 24]]}


@pytest.mark.parametrize(
    'row, message',
    [
        (f'2 {FIRST}', 'v_1.txt: line 1: unknown class 2, expected 0 to 1'),
        ('0 0.5 0.5 0.1', 'v_1.txt: line 1: expected class x y width height'),
        ('0 120 80 30 40', 'v_1.txt: line 1: coordinates must be shares of the image from 0 to 1, got 120'),
        ('0 a 0.5 0.1 0.1', "v_1.txt: line 1: a coordinate must be a number, got 'a'"),
        ('cat 0.5 0.5 0.1 0.1', "v_1.txt: line 1: class must be an integer, got 'cat'"),
    ],
)
def test_bad_rows(tmp_path, row, message):
    root = write(tmp_path / 'a', dict(v_1=row))
    with pytest.raises(ValueError) as caught:
        convert('yolo', root, tmp_path / 'out.json', size=(64, 48))
    assert message in str(caught.value)


def test_missing_images_and_sizes(tmp_path):
    root = write(tmp_path / 'a', dict(v_1=f'0 {FIRST}'))
    with pytest.raises(ValueError, match='pass --frames DIR, --videos DIR or --size WxH'):
        convert('yolo', root, tmp_path / 'out.json')
    make_images(root / 'images', ['v_2.png'])
    with pytest.raises(FileNotFoundError, match='v_1.jpg does not exist, though .*v_1.txt does'):
        convert('yolo', root, tmp_path / 'out.json')
