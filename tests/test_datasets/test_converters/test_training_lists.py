# Copyright (c) mmrdn contributors. All rights reserved.
"""Lists in the layout of FGFA's ``VID_train_15frames.txt`` and ``DET_train_30classes.txt``."""

import json
import re
import runpy
import sys

import pytest

from helpers.configs import ROOT
from mmrdn.datasets.converters.ilsvrc_det import convert_det
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid

NEST = 'train/ILSVRC2015_VID_train_0000'
DOG, CAR, PERSON = 'n02084071', 'n02958343', 'n00007846'  # VID has no persons


def _xml(root, task, name, *classes):
    path = root / 'Annotations' / task / f'{name}.xml'
    path.parent.mkdir(parents=True, exist_ok=True)
    box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>30</ymax></bndbox>'
    objects = ''.join(f'<object><trackid>0</trackid><name>{name}</name>{box}</object>' for name in classes)
    path.write_text(f'<annotation><size><width>100</width><height>60</height></size>{objects}</annotation>')


@pytest.fixture
def vid(tmp_path):
    """Videos a, b and c of 3, 4 and 2 frames."""
    for video, length in dict(a=3, b=4, c=2).items():
        for t in range(length):
            _xml(tmp_path, 'VID', f'{NEST}/{video}/{t:06d}', DOG)
    return tmp_path


@pytest.fixture
def det(tmp_path):
    for name, classes in dict(a=[DOG], b=[PERSON], c=[CAR, DOG, PERSON], d=[]).items():
        _xml(tmp_path, 'DET', f'train/ILSVRC2013_train/n0/{name}', *classes)
    return tmp_path


def _vid_list(root, *lines):
    path = root / 'VID_train_15frames.txt'
    path.write_text('\n'.join(lines))
    return path


def test_listed_frames_are_the_training_frames(vid):
    """Frames count from 0, as file names do; c is not listed; the order of the list does not matter."""
    path = _vid_list(vid, f'{NEST}/b 1 3 4', f'{NEST}/a 1 1 3', '', f'{NEST}/b 1 0 4')
    summary = convert_vid(vid, 'train', vid / 'o.json', progress=False, list_file=path)
    assert summary == dict(videos=2, images=7, train_frames=3, empty_images=0, objects=7, notes=[])
    data = json.loads((vid / 'o.json').read_text())
    assert [video['name'] for video in data['videos']] == [f'{NEST}/a', f'{NEST}/b']
    assert [image['file_name'] for image in data['images'] if image['is_vid_train_frame']] == [
        f'{NEST}/a/000001.JPEG',
        f'{NEST}/b/000000.JPEG',
        f'{NEST}/b/000003.JPEG',
    ]


def test_a_frame_that_is_listed_twice_counts_once(vid):
    path = _vid_list(vid, f'{NEST}/a 1 1 3', f'{NEST}/a 1 1 3')
    summary = convert_vid(vid, 'train', vid / 'o.json', progress=False, list_file=path)
    assert summary['train_frames'] == 1
    assert summary['notes'] == [f'{path}, line 2: frame 1 of {NEST}/a again, counts once']


@pytest.mark.parametrize(
    'line, message',
    [
        (f'{NEST}/a 1 1', f"expected '<video> 1 <frame> <frames of the video>', got '{NEST}/a 1 1'"),
        (f'{NEST}/a 1 x 3', f"expected '<video> 1 <frame> <frames of the video>', got '{NEST}/a 1 x 3'"),
        (f'{NEST}/a 1 -1 3', f"expected '<video> 1 <frame> <frames of the video>', got '{NEST}/a 1 -1 3'"),
        (f'{NEST}/a 1 3 3', 'frame 3 of 3 frames, expected 0 to 2'),
        (f'{NEST}/b 1 1 5', f'{NEST}/b has 5 frames, but 4 in LIST, line 1'),
        (f'{NEST}/c 1 1 3', f'{NEST}/c must have 3 frames, found 2'),
        (f'{NEST}/z 1 1 3', f'ROOT/Annotations/VID/{NEST}/z: no annotations'),
        ('val/v 1 1 3', "expected a name 'train/...', got 'val/v'"),
        ('train/../../x 1 1 3', "expected a name 'train/...', got 'train/../../x'"),
    ],
)
def test_bad_lines_of_vid(vid, line, message):
    path = _vid_list(vid, f'{NEST}/b 1 0 4', line)
    message = f'{path}, line 2: ' + message.replace('LIST', str(path)).replace('ROOT', str(vid))
    with pytest.raises((ValueError, FileNotFoundError), match=f'^{re.escape(message)}$'):
        convert_vid(vid, 'train', vid / 'o.json', progress=False, list_file=path)
    assert not (vid / 'o.json').exists()


def test_frames_of_other_names(vid):
    """Files that count from 1 are not those of the list."""
    for t in (1, 2):
        _xml(vid, 'VID', f'{NEST}/d/{t:06d}', DOG)
    path = _vid_list(vid, f'{NEST}/d 1 1 2', f'{NEST}/d 1 0 2')
    with pytest.raises(ValueError, match=f'line 2: {NEST}/d has no frame 000000$'):
        convert_vid(vid, 'train', vid / 'o.json', progress=False, list_file=path)


@pytest.mark.parametrize('convert', [convert_det, lambda root, *args, **kw: convert_vid(root, 'train', *args, **kw)])
@pytest.mark.parametrize(
    'content, message', [(None, 'does not exist'), (b' \n', 'is empty'), (b'\xff\xfe', 'not a text file')]
)
def test_lists_that_are_none(vid, det, convert, content, message):
    path = vid / 'list.txt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=f'^{re.escape(str(path))}:? {message}'):
        convert(vid, vid / 'o.json', progress=False, list_file=path)


def test_listed_stills(det):
    """In the order of the list, an image as often as it is there, no limit, other classes left out."""
    path = det / 'DET_train_30classes.txt'
    names = [f'train/ILSVRC2013_train/n0/{name}' for name in 'cabc']
    path.write_text('\n'.join(f'{name} 1' for name in names))
    summary = convert_det(det, det / 'o.json', progress=False, list_file=path)
    data = json.loads((det / 'o.json').read_text())
    assert [image['file_name'] for image in data['images']] == [f'{names[i]}.JPEG' for i in (0, 1, 3)]
    assert [entry['category_id'] for entry in data['annotations']] == [7, 9, 9, 7, 9]  # car, dog; dog; car, dog
    assert (summary['images_per_class']['dog'], summary['images_per_class']['car']) == (3, 2)
    assert summary['notes'] == [f'{path}, line 3: {names[2]} shows none of the classes, left out']


@pytest.mark.parametrize(
    'line, message',
    [
        ('train/ILSVRC2013_train/n0/a 1 2', "expected '<image> 1', got 'train/ILSVRC2013_train/n0/a 1 2'"),
        ('train/ILSVRC2013_train/n0/a x', "expected '<image> 1', got 'train/ILSVRC2013_train/n0/a x'"),
        ('train/ILSVRC2013_train/n0/z 1', 'ROOT/Annotations/DET/train/ILSVRC2013_train/n0/z.xml does not exist'),
        ('ILSVRC2013_train/n0/a 1', "expected a name 'train/...', got 'ILSVRC2013_train/n0/a'"),
    ],
)
def test_bad_lines_of_det(det, line, message):
    path = det / 'list.txt'
    path.write_text(f'train/ILSVRC2013_train/n0/a 1\n\n{line}\n')
    message = f'{path}, line 3: {message.replace("ROOT", str(det))}'
    with pytest.raises((ValueError, FileNotFoundError), match=f'^{re.escape(message)}$'):
        convert_det(det, det / 'o.json', progress=False, list_file=path)
    assert not (det / 'o.json').exists()


def _run(monkeypatch, name, *args):
    tool = runpy.run_path(str(ROOT / 'tools' / 'dataset_converters' / name))
    monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
    try:
        tool['main']()
    except SystemExit as ended:
        return ended.code
    return 0


def test_tools_take_lists(vid, det, monkeypatch, capsys):
    for t in range(2):
        _xml(vid, 'VID', f'val/v/{t:06d}')
    path = _vid_list(vid, f'{NEST}/a 1 2 3')
    args = ('imagenet2coco_vid.py', '-i', vid, '-o', vid / 'out', '--list', path)
    assert _run(monkeypatch, *args) == 0
    out = capsys.readouterr().out
    assert '1 videos, 3 images, 1 train_frames' in out and '1 videos, 2 images, 0 train_frames' in out
    assert _run(monkeypatch, *args, '--splits', 'val', '--overwrite') == 1
    message = f'error: --list {path}: a list of training frames, but --splits has no train\n'
    assert capsys.readouterr().err == message
    path = det / 'list.txt'
    path.write_text('train/ILSVRC2013_train/n0/a 1\n')
    args = ('imagenet2coco_det.py', '-i', det, '-o', det / 'out', '--list', path)
    assert _run(monkeypatch, *args, '--max-per-class', 5) == 1
    assert capsys.readouterr().err == f'error: {path} chooses the images, expected no max_per_class, got 5\n'
    assert _run(monkeypatch, *args) == 0
    assert '1 images, 1 objects' in capsys.readouterr().out
