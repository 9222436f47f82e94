# Copyright (c) mmrdn contributors. All rights reserved.
"""The command, as a user runs it."""

import json

import pytest

from helpers.annotations import make_images

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
