# Copyright (c) mmrdn contributors. All rights reserved.
"""CVAT's files: zips, frames beside them, bad ones, and classes."""

import zipfile

import pytest

from helpers.annotations import boxes_of, convert, make_images
from helpers.cvat_xml import IMAGES, box, track, video_xml

GOOD = video_xml(track('car', box(0, (1, 2, 3, 4))))


def test_zip_with_images(tmp_path):
    path = tmp_path / 'task.zip'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('annotations.xml', video_xml(track('car', box(0, (1, 2, 3, 4))), size=2, stop=1))
        for frame in (1, 0):
            file.writestr(f'images/frame_00000{frame}.PNG', b'')
    data, _ = convert('cvat-video', path, tmp_path / 'out.json')
    names = [image['file_name'] for image in data['images']]
    assert names == ['cross road/frame_000000.PNG', 'cross road/frame_000001.PNG']


def test_frames_on_disk(tmp_path):
    """A directory holds every frame of the video: those of the step are taken."""
    make_images(tmp_path / 'frames', [f'cross road/{i:05d}.png' for i in range(12)])
    path = tmp_path / 'a.xml'
    text = video_xml(track('car', box(3, (1, 2, 3, 4))), size=3, start=3, stop=9, step='step=3')
    path.write_text(text.replace('<width>640</width>', ''))
    data, _ = convert('cvat-video', path, tmp_path / 'out.json', frames=tmp_path / 'frames')
    assert [image['file_name'] for image in data['images']] == [f'cross road/0000{i}.png' for i in (3, 6, 9)]
    assert {(image['width'], image['height']) for image in data['images']} == {(64, 48)}


@pytest.mark.parametrize(
    'text, message',
    [
        ('', 'is empty'),
        (GOOD[: len(GOOD) // 2], 'broken XML'),
        (
            GOOD.replace('label="car"', 'label="yak"'),
            "track 0: unknown class 'yak', the file's <labels> are car, person",
        ),
        (GOOD.replace('frame="0"', 'frame="10"'), 'track 0: frame 10 is beyond the video, which has 10 frames'),
        (GOOD.replace('xtl="1.00"', 'xtl="nan"'), "track 0, <box> of frame 0: xtl must be a number, got 'nan'"),
        (GOOD.replace(' xtl="1.00"', ''), 'track 0, <box> of frame 0 has no xtl'),
        (GOOD.replace('outside="0"', 'outside="2"'), 'outside must be 0 or 1'),
        (GOOD.replace('frame="0"', 'frame="x"'), 'frame must be an integer'),
        (GOOD.replace('<width>640</width>', ''), 'pass --frames DIR, --videos DIR or --size WxH'),
        (GOOD.replace('<size>10</size>', '<size>99999999999</size>'), 'expected 1 to 10000000'),
        (IMAGES, 'it looks like the format cvat-images'),
        ('{"images": [], "annotations": [], "categories": []}', 'it looks like the format coco'),
        ('<annotation><object></object></annotation>', 'it looks like the format voc'),
        (video_xml(''), 'no boxes that could be converted'),
    ],
)
def test_bad_files_get_one_line_and_write_nothing(read_cvat, tmp_path, text, message):
    with pytest.raises(ValueError) as caught:
        read_cvat(text)
    assert message in str(caught.value)
    assert str(tmp_path / 'annotations.xml') in str(caught.value)
    assert not (tmp_path / 'out.json').exists()


def test_size_of_the_command_line(read_cvat):
    data, _ = read_cvat(GOOD.replace('<width>640</width>', ''), size=(100, 50))
    assert (data['images'][0]['width'], data['images'][0]['height']) == (100, 50)


def test_broken_zip(tmp_path):
    path = tmp_path / 'task.zip'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('annotations.xml', GOOD)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match='truncated or broken zip'):
        convert('cvat-video', path, tmp_path / 'out.json')


def test_two_files_for_one_video(tmp_path):
    for name in ('a.xml', 'b.xml'):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(ValueError, match='two files for the video cross road: .*a.xml and .*b.xml'):
        convert('cvat-video', [tmp_path / 'a.xml', tmp_path / 'b.xml'], tmp_path / 'out.json')


def test_classes_and_map(read_cvat):
    text = video_xml(track('car', box(8, (1, 2, 3, 4))) + track('person', box(9, (5, 5, 8, 8)), number=1))
    data, losses = read_cvat(text, classes=['human'], renamed=dict(person='human'))
    assert data['categories'] == [dict(id=1, name='human')]
    assert boxes_of(data) == {(9, 'human'): [[5, 5, 3, 3]]}
    assert losses[0].startswith('2 x boxes of the class car were left out')
    with pytest.raises(ValueError, match="there is no class 'yak' .* the classes are car, person"):
        read_cvat(text, classes=['yak'])
    with pytest.raises(ValueError, match="--map: there is no class 'yak', the classes are car, person"):
        read_cvat(text, renamed=dict(yak='cow'))


def test_unicode_names(read_cvat, tmp_path):
    text = video_xml(track('car', box(0, (1, 2, 3, 4))), source='Straße 通り.mp4')
    data, _ = read_cvat(text)
    assert data['images'][0]['file_name'] == 'Straße 通り/000000.jpg'
