# Copyright (c) mmrdn contributors. All rights reserved.
"""What each writer writes."""

import errno
import json
import os

import numpy as np
import pytest

from helpers.videos import CLASSES, flat, noise
from helpers.writers import BOXES, found, nothing
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.video import (
    CocoVidWriter,
    Frame,
    FrameDetections,
    ImageFolderWriter,
    JsonLinesWriter,
    MotWriter,
    open_source,
)

# ------------------------------------------------------------------ detections


def test_json_lines(tmp_path):
    path = tmp_path / 'a.jsonl'
    with JsonLinesWriter(path, CLASSES) as writer:
        writer.write(found(0))
        # Every line is there as soon as it is written.
        first = json.loads(path.read_text())
        writer.write(found(1, track_ids=np.array([7, -1])))
        writer.write(nothing(2))
    assert first == dict(
        frame=0,
        time=0.0,
        width=64,
        height=48,
        detections=[
            {'bbox': [1, 2, 11.5, 22], 'score': 0.5, 'label': 2, 'class': 'owl'},
            {'bbox': [0, 0, 3, 4], 'score': 0.25, 'label': 0, 'class': 'cat'},
        ],
    )
    second, third = map(json.loads, path.read_text().splitlines()[1:])
    assert second['time'] == 0.25 and third['detections'] == []
    assert [d.get('track_id') for d in second['detections']] == [7, None]


def test_json_lines_name_the_images(tmp_path):
    with JsonLinesWriter(tmp_path / 'a.jsonl', CLASSES) as writer:
        writer.write(found(0, name='b.png'))
        writer.write(found(1))
    lines = (tmp_path / 'a.jsonl').read_text().splitlines()
    assert [json.loads(line).get('name') for line in lines] == ['b.png', None]


def test_json_lines_take_back_what_has_no_room(tmp_path, monkeypatch):
    """Half of the line was written when the disk was full."""

    class Full:
        def __init__(self, file):
            self.file, self.room = file, 700

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, 'No space left on device')
            num = self.file.write(data[: self.room])
            self.room -= num
            return num

        def __getattr__(self, name):
            return getattr(self.file, name)

    path = tmp_path / 'a.jsonl'
    writer = JsonLinesWriter(path, CLASSES)
    writer._file = Full(writer._file)
    with pytest.raises(OSError, match='No space left'), writer:
        for i in range(9):
            writer.write(found(i))
    lines = path.read_text().splitlines()
    assert [json.loads(line)['frame'] for line in lines] == [0, 1, 2]
    assert 700 - path.stat().st_size < len(lines[0])


def test_coco_vid(tmp_path):
    path = str(tmp_path / 'a.json')
    with CocoVidWriter(path, CLASSES, video='clip.mp4') as writer:
        writer.write(found(0))
        writer.write(nothing(1))
        writer.write(found(2, np.array([7, -1]), 'c.png'))
    file = CocoVidFile(path, annotations=('bbox', 'score'))
    coco = file.data
    assert coco['videos'] == [dict(id=1, name='clip.mp4')]
    assert [(i['frame_id'], i['file_name'], i['time']) for i in coco['images']] == [
        (0, '000000', 0),
        (1, '000001', 0.25),
        (2, 'c.png', 0.5),
    ]
    assert [a.get('instance_id') for a in coco['annotations']] == [None, None, 7, None]
    assert coco['annotations'][0]['bbox'] == [1, 2, 10.5, 20]
    frames = file.predictions(CLASSES)
    assert frames[2].bboxes.shape == (0, 4)
    for i in (1, 3):
        assert (frames[i].bboxes == BOXES).all()
        assert frames[i].scores.tolist() == [0.5, 0.25]
        assert frames[i].labels.tolist() == [2, 0]


def test_mot(tmp_path):
    with MotWriter(tmp_path / 'a.txt') as writer:
        writer.write(found(0))
        writer.write(nothing(1))
        writer.write(found(2, np.array([7, -1])))
    assert (tmp_path / 'a.txt').read_text() == (
        '1,-1,1.000,2.000,10.500,20.000,0.500000,-1,-1,-1\n'
        '1,-1,0.000,0.000,3.000,4.000,0.250000,-1,-1,-1\n'
        '3,7,1.000,2.000,10.500,20.000,0.500000,-1,-1,-1\n'
        '3,-1,0.000,0.000,3.000,4.000,0.250000,-1,-1,-1\n'
    )


@pytest.mark.parametrize('field', ['bboxes', 'scores'])
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_no_nan_gets_into_a_file(field, value):
    values = dict(bboxes=BOXES.copy(), scores=np.ones(2), labels=np.ones(2))
    values[field][-1] = value
    with pytest.raises(ValueError, match=f'frame 5: {field} must be finite'):
        FrameDetections(frame_id=5, **values)


# -------------------------------------------------------------------- images


def test_images(tmp_path):
    images = noise(1) + [flat(30, (7, 9))]
    with ImageFolderWriter(tmp_path / 'out') as writer:
        writer.write(images[0], Frame(None, 0, 0.0))
        assert not (tmp_path / 'out').exists()
        writer.write(images[1], Frame(None, 1, 0.0, 'sub/b.c.png'))
    assert sorted(os.listdir(tmp_path / 'out')) == ['000000.jpg', '000001_b.c.jpg']
    assert os.listdir(tmp_path) == ['out']
    for frame, image in zip(open_source(tmp_path / 'out'), images):
        assert frame.image.shape == image.shape
        assert np.abs(frame.image.astype(int) - image).mean() < 8


def test_directory_that_is_not_empty(tmp_path):
    (tmp_path / 'other.txt').write_text('precious')
    (tmp_path / '000000.jpg').write_text('old')
    with pytest.raises(FileExistsError, match=f'directory {tmp_path} is not empty'):
        ImageFolderWriter(tmp_path)
    with ImageFolderWriter(tmp_path, overwrite=True) as writer:
        writer.write(flat(9), Frame(None, 0, 0.0))
        assert (tmp_path / '000000.jpg').read_text() == 'old'
    assert sorted(os.listdir(tmp_path)) == ['000000.jpg', 'other.txt']
    assert (tmp_path / 'other.txt').read_text() == 'precious'
    assert (tmp_path / '000000.jpg').read_bytes()[:2] == b'\xff\xd8'


def test_a_file_instead_of_a_directory(tmp_path):
    (tmp_path / 'x').write_text('precious')
    with pytest.raises(FileExistsError, match='is a file, expected a directory'):
        ImageFolderWriter(tmp_path / 'x', overwrite=True)


@pytest.mark.parametrize('path, example', [('.', 'images'), ('..', '../images')])
def test_a_directory_without_a_name(path, example):
    with pytest.raises(ValueError) as error:
        ImageFolderWriter(path, overwrite=True)
    assert str(error.value) == (f'{path}: expected a directory with a name, such as {example}')
