# Copyright (c) mmrdn contributors. All rights reserved.
"""Pascal VOC, and ILSVRC VID through the same command."""

import json
import re

import pytest

from helpers.annotations import boxes_of, convert, make_images
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid


def xml(*objects, filename='000001.jpg', size='<size><width>64</width><height>48</height><depth>3</depth></size>'):
    return (
        f'<annotation><folder>clip</folder><filename>{filename}</filename><source><database>Unknown</database></source>'
        f'{size}<segmented>0</segmented>{"".join(objects)}</annotation>'
    )


def item(name, box, extra=''):
    x1, y1, x2, y2 = box
    return (
        f'<object><name>{name}</name><pose>Unspecified</pose><truncated>0</truncated>{extra}<bndbox><xmin>{x1}</xmin>'
        f'<ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>'
    )


@pytest.fixture
def root(tmp_path):
    directory = tmp_path / 'data' / 'Annotations' / 'clip'
    directory.mkdir(parents=True)
    track = '<attributes><attribute><name>track_id</name><value>3</value></attribute></attributes>'
    text = xml(item('cat', (1, 1, 64, 48), track), item('dog', (5, 6, 5, 9), '<difficult>1</difficult>'))
    (directory / '000001.xml').write_text(text)
    text = xml(item('cat', (2.5, 1, 60, 48), f'<occluded>1</occluded>{track}'), filename='000002.png')
    (directory / '000002.xml').write_text(text)
    return tmp_path / 'data'


def test_by_hand(root, tmp_path):
    """Each coordinate less 1; a box from 5 to 5 is one pixel wide."""
    data, losses = convert('voc', root, tmp_path / 'out.json')
    assert [image['file_name'] for image in data['images']] == ['clip/000001.jpg', 'clip/000002.png']
    assert boxes_of(data) == {
        (0, 'cat'): [[0, 0, 63, 47]],
        (0, 'ignore'): [[4, 5, 0, 3]],
        (1, 'cat'): [[1.5, 0, 57.5, 47]],
    }
    tracks = {entry['instance_id'] for entry in data['annotations'] if not entry.get('ignore')}
    assert len(tracks) == 1 and losses == []
    assert [entry['occluded'] for entry in data['annotations']] == [False, False, True]


def test_sizes_of_images(root, tmp_path):
    """Some tools write 0."""
    for path in root.rglob('*.xml'):
        path.write_text(path.read_text().replace('<width>64', '<width>0'))
    make_images(root / 'JPEGImages', ['clip/000001.jpg', 'clip/000002.png'], size=(70, 50))
    data, _ = convert('voc', root, tmp_path / 'out.json', frames=root / 'JPEGImages')
    assert {(image['width'], image['height']) for image in data['images']} == {(70, 50)}


def test_rotated_boxes_of_rolabelimg(tmp_path):
    robox = '<robndbox><cx>31</cx><cy>21</cy><w>20</w><h>10</h><angle>1.5707963267948966</angle></robndbox>'
    path = tmp_path / 'a_1.xml'
    path.write_text(xml(f'<object><name>cat</name>{robox}</object>'))
    data, losses = convert('voc', path, tmp_path / 'out.json')
    assert boxes_of(data) == {(0, 'cat'): [[25, 10, 10, 20]]}
    assert losses[0].startswith('1 x rotated boxes became upright boxes')


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('<xmin>1</xmin>', '<xmin>a</xmin>', "object 1: <xmin> must be a number, got 'a'"),
        ('<name>cat</name>', '', 'object 1 has no <name>'),
        ('<width>64', '<width>-4', '<width>: expected 1 to'),
        ('</annotation>', '', 'broken XML'),
        ('annotation>', 'annotations>', 'expected <annotation>, got <annotations>'),
    ],
)
def test_bad_files(root, tmp_path, old, new, message):
    path = root / 'Annotations' / 'clip' / '000001.xml'
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError) as caught:
        convert('voc', root, tmp_path / 'out.json')
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_a_file_of_the_other_xml_format_is_named(root, tmp_path):
    """Boxes of the two lie a pixel apart, and both could be meant; a file without a mark of either is no case."""
    clip = root / 'Annotations' / 'clip'
    first, second = clip / '000001.xml', clip / '000002.xml'
    second.write_text(second.read_text().replace('2.5', '2'))  # ILSVRC has integers only
    data, losses = convert('ilsvrc', root / 'Annotations', tmp_path / 'as_ilsvrc.json')
    assert boxes_of(data)[0, 'cat'] == [[1, 1, 63, 47]]  # (0, 0) as VOC
    expected = 'files look like Pascal VOC (<difficult>, <pose> or <truncated>), whose pixels count from 1'
    assert losses[0] == f'2 x {expected}: use the format voc, first at {first}'
    for path in (first, second):
        text = re.sub('<pose>.*?</pose>|<truncated>.*?</truncated>|<difficult>.*?</difficult>', '', path.read_text())
        path.write_text(text)
    for name, path in dict(voc=root, ilsvrc=root / 'Annotations').items():
        _, losses = convert(name, path, tmp_path / f'plain_{name}.json')
        assert not any('look like' in line for line in losses)
    first.write_text(first.read_text().replace('<bndbox>', '<trackid>0</trackid><generated>0</generated><bndbox>', 1))
    _, losses = convert('voc', root, tmp_path / 'as_voc.json')
    expected = 'files look like ILSVRC VID (<generated>), whose pixels count from 0: use the format ilsvrc'
    assert losses[0] == f'1 x {expected}, first at {first}'
    _, losses = convert('ilsvrc', root / 'Annotations', tmp_path / 'ilsvrc.json')
    assert not any('look like' in line for line in losses)


def test_ilsvrc_equals_the_converter_of_its_own(digits, tmp_path):
    """All but the order of instance ids, the flags, and the categories' WordNet ids."""
    convert_vid(digits, 'val', tmp_path / 'own.json', classes='moving_digits', progress=False)
    own = json.loads((tmp_path / 'own.json').read_text())
    data, _ = convert('ilsvrc', digits / 'Annotations' / 'VID' / 'val', tmp_path / 'out.json')
    assert [image['file_name'] for image in data['images']] == [
        image['file_name'].removeprefix('val/') for image in own['images']
    ]
    assert boxes_of(data) == boxes_of(own)
    pairs = [
        {(image['image_id'], image['instance_id'], str(image['bbox'])) for image in found['annotations']}
        for found in (own, data)
    ]
    renumbered = {(image, box): track for image, track, box in pairs[1]}
    assert len({(track, renumbered[image, box]) for image, track, box in pairs[0]}) == len(
        {track for _, track, _ in pairs[0]}
    )
    both, _ = convert('ilsvrc', digits, tmp_path / 'both.json')
    assert len(both['videos']) == 10 and both['videos'][-1]['name'].startswith('val/')


def test_ilsvrc_with_unknown_word(root, tmp_path):
    for path in root.rglob('*.xml'):
        path.write_text(path.read_text().replace('>cat<', '>n00007846<'))
    with pytest.raises(ValueError, match="unknown class 'n00007846'"):
        convert('ilsvrc', root / 'Annotations', tmp_path / 'out.json')


def test_a_file_without_objects(root, tmp_path):
    """An empty frame; with the option one that nobody annotated, whoever wrote its file."""
    (root / 'Annotations' / 'clip' / '000003.xml').write_text(xml(filename='000003.jpg'))
    for annotated_only, expected in ((False, [None] * 3), (True, [None, None, False])):
        data, _ = convert('voc', root, tmp_path / f'{annotated_only}.json', annotated_only=annotated_only)
        assert [image.get('is_annotated') for image in data['images']] == expected
