# Copyright (c) mmrdn contributors. All rights reserved.
"""mmtrack's own configs: commands on videos find what ``tools/test.py`` finds in the data set."""

import json
import shutil

import pytest

from helpers.mmtrack_detectors import KINDS, write_narrow, write_random
from helpers.tools import write_config
from helpers.videos import read_mp4


def boxes(content):
    """The boxes of each image: category, score and corners, in order."""
    found = {image['id']: [] for image in content['images']}
    for ann in content['annotations']:
        found[ann['image_id']].append((ann['category_id'], ann['score'], *ann['bbox']))
    return [sorted(rows, key=lambda row: -row[1]) for rows in found.values()]


@pytest.mark.parametrize('kind', ['selsa', 'dff'])
def test_detections_are_those_of_the_test(kind, digits, run_main, tmp_path):
    config = write_narrow(tmp_path / 'narrow.py', KINDS[kind], digits)
    write_random(tmp_path / 'random.pth', config)
    status, _, err = run_main(
        'test.py',
        config,
        tmp_path / 'random.pth',
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        f'test_evaluator.outfile_prefix={tmp_path}/val',
        f'experiment_name={kind}',
    )
    assert status == 0, err
    expected = json.loads((tmp_path / 'val.predictions.json').read_text())
    directories = list(dict.fromkeys(image['file_name'].rpartition('/')[0] for image in expected['images']))
    assert len(directories) == 4
    (tmp_path / 'videos').mkdir()
    for directory in directories:
        shutil.copytree(digits / 'Data' / 'VID' / directory, tmp_path / 'videos' / directory.rpartition('/')[2])
    status, _, err = run_main(
        'detect_videos.py',
        tmp_path / 'videos',
        tmp_path / 'out',
        '--config',
        config,
        '--checkpoint',
        tmp_path / 'random.pth',
        '--device',
        'cpu',
        '--score-thr',
        0,
        '--out-json',
        'o.json',
    )
    assert status == 0, err
    names = [directory.rpartition('/')[2] for directory in directories]
    found = [frame for name in names for frame in boxes(json.loads((tmp_path / 'out' / name / 'o.json').read_text()))]
    wanted = boxes(expected)
    assert len(found) == len(wanted) == 20 and all(len(frame) > 5 for frame in wanted)
    for ours, theirs in zip(found, wanted):
        assert [row[0] for row in ours] == [row[0] for row in theirs]
        assert [value for row in ours for value in row] == pytest.approx(
            [value for row in theirs for value in row], abs=2e-3
        )


def test_two_detectors_side_by_side_in_one_command(digits, run_main, tmp_path):
    selsa = write_narrow(tmp_path / 'narrow.py', KINDS['selsa'], digits)
    rdn = write_config(tmp_path / 'tiny.py', digits)
    for config in (selsa, rdn):
        write_random(config.with_suffix('.pth'), config)
    directory = next(path for path in (digits / 'Data' / 'VID' / 'val').iterdir() if path.is_dir())
    words = [word for c in (rdn, selsa) for word in ('--model', c.stem, c, c.with_suffix('.pth'))]
    out = tmp_path / 'side.mp4'
    status, told, err = run_main('analysis_tools/compare_on_video.py', directory, out, *words, '--device', 'cpu')
    assert status == 0, err
    assert told.splitlines()[-1] == f'{out}: 5 frames'
    frames, _ = read_mp4(out)
    height, width = frames[0].shape[:2]
    assert len(frames) == 5 and 0 < width - 2 * 3 * 160 < 60 and 0 < height - 3 * 128 < 60

    words[5] = 'tiny'
    status, _, err = run_main('analysis_tools/compare_on_video.py', directory, tmp_path / 'x.mp4', *words)
    assert (status, err) == (1, 'error: the panels need names that differ, got tiny, tiny\n')
