# Copyright (c) mmrdn contributors. All rights reserved.
"""The command, as a user runs it."""

import json

import cv2
import numpy as np
import pytest

from helpers.annotations import make_images
from helpers.videos import noise, read_mp4, write_mp4
from mmrdn.datasets.transforms import LoadFrameFromVideo

TOOL = 'dataset_converters/to_coco_vid.py'
ROW = '1,1,11,21,{},40,1,1,1\n'


@pytest.fixture
def sequences(tmp_path):
    for i in range(5):
        directory = tmp_path / 'mot' / f'seq {i}' / 'gt'
        directory.mkdir(parents=True)
        (directory / 'gt.txt').write_text(ROW.format(30 + i))
    make_images(tmp_path / 'mot', [f'seq {i}/img1/000001.jpg' for i in range(5)])
    return tmp_path / 'mot'


def test_parts_and_report(sequences, tmp_path, run_main):
    out = tmp_path / 'data.json'
    args = (
        'mot',
        sequences,
        '--frames',
        sequences,
        '--out',
        out,
        '--map',
        'pedestrian=person',
        '--split',
        '0.8',
        '0.2',
    )
    status, stdout, stderr = run_main(TOOL, *args, '--seed', 3)
    assert (status, stderr) == (0, '')
    assert stdout.splitlines() == [
        f'{tmp_path}/data_train.json: 4 videos, 4 images, 4 annotations, 4 tracks (person 4)',
        f'{tmp_path}/data_val.json: 1 videos, 1 images, 1 annotations, 1 tracks (person 1)',
    ]
    parts = [json.loads((tmp_path / f'data_{part}.json').read_text()) for part in ('train', 'val')]
    names = [{video['name'] for video in part['videos']} for part in parts]
    assert names[0] | names[1] == {f'seq {i}' for i in range(5)} and not names[0] & names[1]
    assert all(image['width'] == 64 and image['height'] == 48 for part in parts for image in part['images'])
    status, _, stderr = run_main(TOOL, *args)
    assert status == 1 and stderr.startswith(f'error: {tmp_path}/data_train.json exists; pass --overwrite')


def test_errors_are_one_line_and_write_nothing(sequences, tmp_path, run_main):
    path = sequences / 'seq 3' / 'gt' / 'gt.txt'
    path.write_text(ROW.format('wide'))
    status, stdout, stderr = run_main(TOOL, 'mot', sequences, '--size', '64x48', '--out', tmp_path / 'x' / 'data.json')
    assert (status, stdout) == (1, '')
    assert stderr == f"error: {path}: line 1: width must be a number, got 'wide'\n"
    assert not (tmp_path / 'x').exists()


@pytest.mark.parametrize(
    'args, message',
    [
        (['--size', '64'], 'expected WIDTHxHEIGHT such as 1920x1080, got 64'),
        (['--map', 'a'], 'expected OLD=NEW, got a'),
        (['--frames', 'nowhere'], 'error: --frames nowhere: no such directory'),
        (['--size', '9x9', '--name-template', '<video>.jpg'], 'error: --name-template <video>.jpg: expected <video>'),
        (['--size', '9x9', '--name-template', '<clip>/<frame>'], 'error: --name-template <clip>/<frame>: expected'),
    ],
)
def test_bad_options(sequences, tmp_path, run_main, args, message):
    status, _, stderr = run_main(TOOL, 'mot', sequences, '--out', tmp_path / 'data.json', *args)
    assert status and message in stderr.splitlines()[-1]


@pytest.fixture
def clips(tmp_path):
    """A video of 8 frames, every second of which is in a task of CVAT."""
    (tmp_path / 'clips').mkdir()
    write_mp4(tmp_path / 'clips' / 'cross road.mp4', noise(8))
    path = tmp_path / 'a.xml'
    path.write_text(
        '<annotations><meta><task><size>3</size><start_frame>1</start_frame><stop_frame>6</stop_frame>'
        '<frame_filter>step=2</frame_filter><source>cross road.mp4</source></task></meta><track id="0" label="car">'
        '<box frame="3" outside="0" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="9" ybr="8"/></track></annotations>'
    )
    return path


def test_frames_read_from_videos_equal_extracted_ones(clips, tmp_path, run_main):
    videos, out = tmp_path / 'clips', tmp_path / 'data.json'
    assert run_main(TOOL, 'cvat-video', clips, '--videos', videos, '--out', out)[0] == 0
    images = json.loads(out.read_text())['images']
    assert [image['file_name'] for image in images] == [f'cross road.mp4/00000{i}' for i in (1, 3, 5)]
    assert {(image['width'], image['height']) for image in images} == {(64, 48)}
    args = ('cvat-video', clips, '--videos', videos, '--extract', tmp_path / 'frames', '--out', tmp_path / 'out.json')
    assert run_main(TOOL, *args)[0] == 0
    extracted = json.loads((tmp_path / 'out.json').read_text())['images']
    assert [image['file_name'] for image in extracted] == [f'cross road/00000{i}.png' for i in range(3)]
    decoded, _ = read_mp4(videos / 'cross road.mp4')
    load = LoadFrameFromVideo()
    for index, (from_video, from_image) in enumerate(zip(images, extracted)):
        pixels = load(dict(img_path=str(videos / from_video['file_name'])))['img']
        np.testing.assert_array_equal(pixels, decoded[2 * index + 1])
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'frames' / from_image['file_name'])), pixels)
    assert sorted(path.name for path in (tmp_path / 'frames').iterdir()) == ['cross road']


def test_nothing_is_extracted_of_bad_files(clips, tmp_path, run_main):
    args = ['--videos', tmp_path / 'clips', '--extract', tmp_path / 'frames', '--out', tmp_path / 'data.json']
    text = clips.read_text()
    clips.write_text(text.replace('<size>3', '<size>5'))
    status, _, stderr = run_main(TOOL, 'cvat-video', clips, *args)
    assert status == 1 and 'frame 9 is beyond' in stderr and 'which has 8 frames' in stderr
    clips.write_text(text.replace('cross road', 'other'))
    status, _, stderr = run_main(TOOL, 'cvat-video', clips, *args)
    assert status == 1 and 'no video file other.mp4' in stderr
    clips.write_text(text)
    status, _, stderr = run_main(TOOL, 'cvat-video', clips, *args, '--name-template', '<video>/<frame>.xyz')
    assert status == 1 and 'expected the suffix of an image' in stderr
    assert not (tmp_path / 'data.json').exists() and not [*(tmp_path / 'frames').rglob('*')]
    status, _, stderr = run_main(TOOL, 'cvat-video', clips, *args[2:])
    assert status == 1 and stderr == 'error: --extract needs --videos, the directory of the video files\n'


def test_options_without_effect_are_named(clips, tmp_path, run_main):
    args = ('cvat-video', clips, '--videos', tmp_path / 'clips', '--name-template', 'a/<frame>.png', '--size', '64x48')
    status, _, stderr = run_main(TOOL, *args, '--out', tmp_path / 'data.json')
    assert status == 0 and stderr.splitlines() == [
        'warning: --size has no effect with --videos, which gives the sizes of frames',
        'warning: --name-template has no effect with --videos, which gives the names of frames',
    ]
    status, _, stderr = run_main(TOOL, *args[:-2], '--extract', tmp_path / 'frames', '--out', tmp_path / 'out.json')
    assert status == 0 and not stderr
    assert len([*(tmp_path / 'frames' / 'a').iterdir()]) == 3
    size = '<original_size><width>64</width><height>48</height></original_size>'
    clips.write_text(clips.read_text().replace('<source>', f'{size}<source>'))
    pattern = ('--video-pattern', '(?P<video>.+)_(?P<frame>[0-9]+)')
    status, _, stderr = run_main(TOOL, *args[:2], '--size', '9x9', *pattern, '--seed', 3, '--out', tmp_path / 'b.json')
    assert status == 0 and stderr.splitlines() == [
        'warning: --seed has no effect without --split',
        'warning: --size has no effect: the files give the sizes of frames',
        'warning: --video-pattern has no effect: the files say which video each frame belongs to',
    ]


def test_options_that_name_and_group_loose_frames(tmp_path, run_main):
    row = dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 3, 4])
    image = dict(id=1, file_name='b_7_x.png')
    data = dict(images=[image], annotations=[row], categories=[dict(id=1, name='dog')])
    (tmp_path / 'loose.json').write_text(json.dumps(data))
    args = ('coco', tmp_path / 'loose.json', '--video-pattern', '(?P<video>.+)_(?P<frame>[0-9]+)_x', '--size', '64x48')
    template = ('--name-template', '<video>/<frame>.png')
    status, _, stderr = run_main(TOOL, *args, *template, '--out', tmp_path / 'out.json')
    assert status == 0 and [line for line in stderr.splitlines() if 'no effect' in line] == [
        'warning: --name-template has no effect: the files give the names of frames'
    ]
    found = json.loads((tmp_path / 'out.json').read_text())
    assert found['videos'] == [dict(id=1, name='b')] and found['images'][0]['width'] == 64


@pytest.mark.parametrize('name', ['', ' '])
def test_a_class_without_a_name_is_refused(name, tmp_path, run_main):
    (tmp_path / 'data.yaml').write_text(f'names: [dog, "{name}"]\n')
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels' / 'a_1.txt').write_text('0 0.5 0.5 0.1 0.1\n')
    args = ('yolo', tmp_path / 'data.yaml', '--size', '64x48', '--out', tmp_path / 'out.json')
    status, _, stderr = run_main(TOOL, *args)
    assert status == 1 and stderr == f'error: {tmp_path / "data.yaml"}: a class has an empty name\n'
    assert not (tmp_path / 'out.json').exists()
    assert run_main(TOOL, *args, '--classes', 'dog')[0] == 0


def test_every_reason_is_given_if_no_box_is_left(tmp_path, run_main):
    """The box has no track id, which is no reason, and no area, which is one."""
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels' / 'a_1.txt').write_text('0 0.5 0.5 0.0 0.1\n')
    args = ('yolo', tmp_path / 'labels', '--classes', 'dog', '--size', '64x48', '--out', tmp_path / 'out.json')
    status, _, stderr = run_main(TOOL, *args)
    assert status == 1 and stderr.count('\n') == 1 and 'no boxes that could be converted' in stderr
    assert '1 x boxes without a track id' in stderr and '1 x boxes without an area were left out' in stderr


def test_frames_annotated_every_third_only(tmp_path, run_main):
    """Frames 0, 3 and 6 of nine are annotated; the others are supports."""
    rows = ''.join(f'{frame},1,{frame},2,10,20,1,1,1\n' for frame in (1, 4, 7))
    directory = tmp_path / 'mot' / 'seq' / 'gt'
    directory.mkdir(parents=True)
    (directory / 'gt.txt').write_text(rows)
    (directory.parent / 'seqinfo.ini').write_text('[Sequence]\nname=seq\nseqLength=9\nimWidth=64\nimHeight=48\n')
    args, out = ('mot', tmp_path / 'mot', '--out'), tmp_path / 'data.json'
    status, stdout, stderr = run_main(TOOL, *args, out, '--annotated-only')
    assert (status, stderr) == (0, '')
    assert stdout == (f'{out}: 1 videos, 9 images, 3 annotations, 6 unannotated images, 1 tracks (pedestrian 3)\n')
    images = json.loads(out.read_text())['images']
    assert [image['frame_id'] for image in images if image.get('is_annotated', True)] == [0, 3, 6]
    status, stdout, _ = run_main(TOOL, *args, tmp_path / 'all.json')
    assert 'unannotated' not in stdout and 'is_annotated' not in (tmp_path / 'all.json').read_text()
