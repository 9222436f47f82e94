# Copyright (c) mmrdn contributors. All rights reserved.
import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from helpers.configs import ROOT, datasets, load
from helpers.mmtrack_detectors import KINDS
from mmrdn.datasets.converters.ilsvrc import read_annotation
from mmrdn.datasets.converters.ilsvrc_det import convert_det
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid, pick_train_frames
from mmrdn.datasets.imagenet_vid_classes import IMAGENET_VID
from mmrdn.registry import DATASETS
from mmrdn.setup_env import register_all_modules

TOOLS = ROOT / 'tools' / 'dataset_converters'
DOG, CAR, ZEBRA = 'n02084071', 'n02958343', 'n02391049'
PERSON = 'n00007846'  # a class of DET that VID has not


def _object(name, box, track=None, occluded=0, generated=0):
    track = '' if track is None else f'<trackid>{track}</trackid>'
    x1, y1, x2, y2 = box
    return (
        f'<object>{track}<name>{name}</name><bndbox><xmax>{x2}</xmax>'
        f'<xmin>{x1}</xmin><ymax>{y2}</ymax><ymin>{y1}</ymin></bndbox>'
        f'<occluded>{occluded}</occluded><generated>{generated}'
        '</generated></object>'
    )


def _xml(*objects, width=100, height=60):
    return (
        '<annotation><folder>f</folder><filename>0</filename><size>'
        f'<width>{width}</width><height>{height}</height></size>'
        f'{"".join(objects)}</annotation>'
    )


def _write(root, task, name, text):
    for part, suffix, content in (('Annotations', 'xml', text), ('Data', 'JPEG', '')):
        path = root / part / task / f'{name}.{suffix}'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _make_vid(root, lists=True):
    nest = 'ILSVRC2015_VID_train_0000'
    boxes = [(10, 20, 40, 50), (11, 20, 41, 50)]
    for t, box in enumerate(boxes):
        _write(
            root,
            'VID',
            f'train/{nest}/b/{t:06d}',
            _xml(_object(DOG, box, 0, occluded=t), _object(CAR, (0, 0, 99, 59), 5, generated=1)),
        )
    _write(root, 'VID', f'train/{nest}/a/000000', _xml(_object(ZEBRA, (1, 2, 3, 4), 0)))
    for t in range(3):
        _write(root, 'VID', f'val/v/{t:06d}', _xml())
    if lists:
        directory = root / 'ImageSets' / 'VID'
        directory.mkdir(parents=True)
        (directory / 'train_1.txt').write_text(f'{nest}/b 1\n{nest}/a 1\n')
        (directory / 'train_2.txt').write_text(f'{nest}/b 1\n\n')
        (directory / 'val.txt').write_text('v/000000 1\nv/000001 2\nv/000002 3\n')


def _convert(root, split, out_file, **kwargs):
    summary = convert_vid(root, split, out_file, progress=False, **kwargs)
    return summary, json.loads(Path(out_file).read_text())


def test_pick_train_frames():
    assert pick_train_frames(3) == [0, 1, 2]
    assert pick_train_frames(15) == list(range(15))
    # Middles of parts of 16/15 frames: 0.53, 1.6, 2.67, ... rounded down.
    assert pick_train_frames(16) == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    assert pick_train_frames(100) == [3, 10, 16, 23, 30, 36, 43, 50, 56, 63, 70, 76, 83, 90, 96]
    assert pick_train_frames(300) == list(range(10, 300, 20))  # as the public list begins: 10 of 300
    for length in range(16, 400):
        frames = pick_train_frames(length)
        assert len(set(frames)) == 15
        assert 0 <= frames[0] and frames[-1] < length


@pytest.mark.parametrize('name', ['ILSVRC2015', 'ILSVRC2017', 'ILSVRC', '.'])
@pytest.mark.parametrize('lists', [True, False])
def test_vid_by_hand(tmp_path, name, lists):
    _make_vid(tmp_path / name, lists)
    summary, data = _convert(tmp_path, 'train', tmp_path / 'out' / 'train.json')
    assert summary == dict(videos=2, images=3, train_frames=3, empty_images=0, objects=5, notes=[])
    nest = 'train/ILSVRC2015_VID_train_0000'
    assert data['videos'] == [dict(id=1, name=f'{nest}/a'), dict(id=2, name=f'{nest}/b')]
    assert data['images'][2] == dict(
        id=3, file_name=f'{nest}/b/000001.JPEG', height=60, width=100, video_id=2, frame_id=1, is_vid_train_frame=True
    )
    assert data['annotations'][3] == dict(
        id=4,
        image_id=3,
        video_id=2,
        category_id=9,
        instance_id=2,
        bbox=[11, 20, 30, 30],
        area=900,
        iscrowd=False,
        occluded=True,
        generated=False,
    )
    assert [a['instance_id'] for a in data['annotations']] == [1, 2, 3, 2, 3]
    assert [a['category_id'] for a in data['annotations']] == [30, 9, 7, 9, 7]
    assert data['annotations'][4]['generated'] is True
    assert len(data['categories']) == 30

    summary, data = _convert(tmp_path, 'val', tmp_path / 'out' / 'val.json')
    assert summary['empty_images'] == summary['images'] == 3
    assert not any(i['is_vid_train_frame'] for i in data['images'])
    assert [i['frame_id'] for i in data['images']] == [0, 1, 2]


def test_long_video_flags_15_frames(tmp_path):
    for t in range(100):
        _write(tmp_path, 'VID', f'train/x/long/{t:06d}', _xml())
    summary, data = _convert(tmp_path, 'train', tmp_path / 'o.json', workers=2)
    flagged = [i['frame_id'] for i in data['images'] if i['is_vid_train_frame']]
    assert flagged == [3, 10, 16, 23, 30, 36, 43, 50, 56, 63, 70, 76, 83, 90, 96]
    assert len(data['images']) == 100


def test_classes_equal_those_of_mmtrack():
    from mmtrack.datasets import ImagenetVIDDataset

    assert tuple(IMAGENET_VID) == ImagenetVIDDataset.METAINFO['CLASSES']
    assert list(IMAGENET_VID) == sorted(IMAGENET_VID)
    assert len(set(IMAGENET_VID.values())) == 30


def _make_det(root):
    shown = dict(a=[DOG], b=[PERSON], c=[CAR, DOG, PERSON], d=[DOG], e=[CAR], f=[])
    for name, classes in shown.items():
        _write(root, 'DET', f'train/ILSVRC2013_train/n0/{name}', _xml(*(_object(c, (1, 1, 20, 30)) for c in classes)))


def test_det_cap_and_order(tmp_path):
    _make_det(tmp_path)
    out_file = tmp_path / 'det.json'
    summary = convert_det(tmp_path, out_file, max_per_class=1, progress=False)
    data = json.loads(out_file.read_text())
    # c shows a dog, of which there is one already; e has the first car.
    names = [Path(i['file_name']).stem for i in data['images']]
    assert names == ['a', 'e']
    assert summary['images_per_class']['dog'] == 1
    summary = convert_det(tmp_path, out_file, max_per_class=2, overwrite=True, progress=False)
    data = json.loads(out_file.read_text())
    assert data['images'][1] == dict(
        id=2, file_name='train/ILSVRC2013_train/n0/c.JPEG', height=60, width=100, is_vid_train_frame=True
    )
    assert [a['category_id'] for a in data['annotations']] == [9, 7, 9, 7]
    assert data['annotations'][1]['bbox'] == [1, 1, 19, 29]
    # The list decides on the order, and on what is there at all. Its negative images have no
    # annotation files.
    directory = tmp_path / 'ImageSets' / 'DET'
    directory.mkdir(parents=True)
    (directory / 'train.txt').write_text(
        'ILSVRC2013_train_extra0/ILSVRC2013_train_00000001 1\nILSVRC2013_train/n0/d 2\nILSVRC2013_train/n0/a 3\n'
    )
    convert_det(tmp_path, out_file, max_per_class=1, overwrite=True, progress=False)
    data = json.loads(out_file.read_text())
    assert [Path(i['file_name']).stem for i in data['images']] == ['d']


def test_det_boxes_of_other_classes_are_not_looked_at(tmp_path):
    _write(
        tmp_path,
        'DET',
        'train/ILSVRC2013_train/n0/a',
        _xml(_object(DOG, (1, 1, 20, 30)), _object(PERSON, (9, 1, 5, 20))),
    )
    summary = convert_det(tmp_path, tmp_path / 'det.json', progress=False)
    assert (summary['images'], summary['objects']) == (1, 1)


@pytest.mark.parametrize(
    'text, message',
    [
        ('<annotation><size>', 'broken XML'),
        ('', 'broken XML'),
        ('<other/>', 'expected <annotation>'),
        ('<!DOCTYPE x []><annotation/>', 'document type'),
        ('<annotation/>', 'no <size>'),
        (_xml(width=0), 'at least 1 x 1'),
        (_xml(width='wide'), "<width> of <size> must be an integer, got 'wide'"),
        (_xml('<object><name>x</name></object>'), 'no <bndbox>'),
        (_xml(_object(DOG, (9, 1, 5, 20), 0)), 'xmax 5 is less than xmin 9'),
        (_xml(_object(DOG, (1, 9, 5, 2), 0)), 'ymax 2 is less than ymin 9'),
        (_xml(_object(DOG, (100, 1, 120, 20), 0)), 'lies outside'),
        (_xml(_object('n99999999', (1, 1, 5, 5), 0)), "unknown class 'n99999999'"),
        (_xml(_object(DOG, (1, 1, 5, 5))), 'no <trackid>'),
    ],
)
def test_bad_xml_names_the_file(tmp_path, text, message):
    _make_vid(tmp_path)
    name = 'ILSVRC2015_VID_train_0000/b/000001'
    _write(tmp_path, 'VID', f'train/{name}', text)
    out_dir = tmp_path / 'out'
    with pytest.raises(ValueError, match=message) as caught:
        convert_vid(tmp_path, 'train', out_dir / 'o.json', progress=False)
    assert f'{name}.xml' in str(caught.value)
    assert '\n' not in str(caught.value)
    assert not out_dir.exists()


def test_bad_xml_in_a_worker(tmp_path):
    _make_vid(tmp_path)
    _write(tmp_path, 'VID', 'val/v/000001', '<annotation>')
    with pytest.raises(ValueError, match='000001.xml: broken XML'):
        convert_vid(tmp_path, 'val', tmp_path / 'o.json', workers=2, progress=False)
    assert not (tmp_path / 'o.json').exists()


def test_missing_files_are_named(tmp_path):
    _make_vid(tmp_path)
    nest = 'VID/train/ILSVRC2015_VID_train_0000/b'
    (tmp_path / 'Annotations' / nest / '000001.xml').unlink()
    with pytest.raises(FileNotFoundError, match='b/000001.xml'):
        convert_vid(tmp_path, 'train', tmp_path / 'o.json', progress=False)
    with pytest.raises(FileNotFoundError, match='no Annotations/DET in'):
        convert_det(tmp_path, tmp_path / 'o.json', progress=False)
    with pytest.raises(FileNotFoundError, match='no Annotations/VID in'):
        convert_vid(tmp_path / 'none', 'val', tmp_path / 'o.json', progress=False)


def test_boxes_over_the_border(tmp_path):
    path = tmp_path / 'x.xml'
    path.write_text(_xml(_object(DOG, (-3, 0, 100, 62), 0), _object(DOG, (50, 0, 40, 10), 1)))
    item = read_annotation(path, skip_bad_boxes=True)
    assert [o['box'] for o in item['objects']] == [[0, 0, 100, 60]]
    assert len(item['notes']) == 2
    assert 'cut at the border' in item['notes'][0]
    assert 'left out, xmax 40' in item['notes'][1]


def _run_tool(monkeypatch, name, *args):
    """Run a tool in this process (importing the stack takes seconds)."""
    tool = runpy.run_path(str(TOOLS / name))
    monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
    try:
        tool['main']()
    except SystemExit as ended:
        return ended.code
    return 0


def test_vid_tool(tmp_path, monkeypatch, capsys):
    _make_vid(tmp_path)
    out_dir = tmp_path / 'out'
    args = ('imagenet2coco_vid.py', '-i', tmp_path, '-o', out_dir)
    assert _run_tool(monkeypatch, *args, '--splits', 'val') == 0
    assert '1 videos, 3 images' in capsys.readouterr().out
    written = (out_dir / 'imagenet_vid_val.json').read_bytes()
    assert _run_tool(monkeypatch, *args) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and '--overwrite' in error
    assert error.count('\n') == 1
    # Refused before the training split was converted, too.
    assert [p.name for p in out_dir.iterdir()] == ['imagenet_vid_val.json']
    assert (out_dir / 'imagenet_vid_val.json').read_bytes() == written


def test_det_tool(tmp_path, monkeypatch, capsys):
    _make_det(tmp_path)
    args = ('imagenet2coco_det.py', '-i', tmp_path, '-o', tmp_path / 'out')
    assert _run_tool(monkeypatch, *args) == 0
    output = capsys.readouterr().out
    assert '4 images, 5 objects' in output and 'dog: 3 images' in output
    assert _run_tool(monkeypatch, *args, '--max-per-class', 0) == 1
    assert capsys.readouterr().err == ('error: max_per_class must be at least 1, got 0\n')


def test_digits_tool(tmp_path, monkeypatch, capsys):
    args = (
        'make_moving_digits.py',
        tmp_path / 'digits',
        '--num-train-videos',
        1,
        '--num-val-videos',
        1,
        '--val-frames',
        2,
    )
    assert _run_tool(monkeypatch, *args) == 0
    assert _run_tool(monkeypatch, *args) == 0
    assert 'already in' in capsys.readouterr().out
    assert _run_tool(monkeypatch, *args, '--seed', 1) == 1
    assert 'other settings (seed)' in capsys.readouterr().err
    assert _run_tool(monkeypatch, *args, '--train-frames', 0) == 1
    assert 'train_frames must be at least 1' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['selsa', 'dff'])
def test_mmtracks_data_sets_read_what_is_written(tmp_path, kind):
    """Those of the configs of its detectors, one of either style."""
    _make_vid(tmp_path)
    _make_det(tmp_path)
    image = np.arange(60 * 100 * 3, dtype=np.uint8).reshape(60, 100, 3)
    for path in (tmp_path / 'Data').rglob('*.JPEG'):
        path.write_bytes(cv2.imencode('.jpg', image)[1].tobytes())
    directory = tmp_path / 'annotations'
    directory.mkdir()
    for split in ('train', 'val'):
        _convert(tmp_path, split, directory / f'imagenet_vid_{split}.json')
    convert_det(tmp_path, directory / 'imagenet_det_30classes.json', progress=False)
    cfg = load(KINDS[kind].config('r50-dc5_8xb1-7e_imagenetvid'))
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmtrack'):
        vid, det, val, _ = (DATASETS.build(dict(item, data_root=f'{tmp_path}/')) for item in datasets(cfg))
    # Video a, of one frame, comes first; dog and car of the first frame of b.
    assert (len(vid), len(det), len(val)) == (3, 4, 3)
    sample = vid[1]
    assert sample['inputs']['img'].shape == (1, 3, 600, 1000)
    assert sample['inputs']['ref_img'].shape == (1, 3, 600, 1000)
    instances = sample['data_samples'].gt_instances
    names = [vid.metainfo['classes'][i] for i in instances.labels]
    assert names == ['dog', 'car']
    box = torch.tensor([10.0, 20, 40, 50]) * 10
    if sample['data_samples'].flip:
        box = torch.tensor([60.0, 20, 90, 50]) * 10
    torch.testing.assert_close(instances.bboxes[0], box)
    still = det[1]  # c: a car and a dog
    assert len(still['inputs']['ref_img']) == (1 if kind == 'dff' else 2)
    names = [det.metainfo['classes'][i] for i in still['data_samples'].gt_instances.labels]
    assert names == ['car', 'dog']
    frame = val[0]
    assert frame['data_samples'].video_length == 3
    assert ('ref_img' in frame['inputs']) == (kind != 'dff')
