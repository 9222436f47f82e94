# Copyright (c) mmrdn contributors. All rights reserved.
"""mmtrack's video detectors through ``mim train`` and ``mim test``."""

import functools
import json
import subprocess
import sys

import numpy as np
import pytest

from helpers.mim import mim
from helpers.mmtrack_detectors import KINDS, write_narrow, write_random
from helpers.tools import free_port, logged_steps, tool_env
from mmrdn.datasets import MovingDigitsDataset
from mmrdn.evaluation import vid_map
from mmrdn.fileio.checkpoint import load_checkpoint_file

CLASSES = MovingDigitsDataset.METAINFO['classes']
every_kind = pytest.mark.parametrize('kind', KINDS)


def run_mim(command, config, *args):
    """Run ``mim <command> mmrdn``: what it printed."""
    done = subprocess.run(
        [sys.executable, '-m', 'mim', command, 'mmrdn', *map(str, (config, *args))],
        env=tool_env(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def options_of_test(prefix):
    """The IoU is low so that a detector of two steps finds something."""
    return ('--cfg-options', f'test_evaluator.outfile_prefix={prefix}', 'test_evaluator.iou_thr=0.05')


def train_and_test(folder):
    """Two steps from given weights, then all frames of validation.

    FGFA by processes of ``mim``, two in its test: each has videos of its own, and keeps the features
    of a video's frames. The others in this process, by what ``mim`` would run.
    """
    config, work_dir = folder / 'narrow.py', folder / 'train'
    checkpoint = work_dir / 'epoch_1.pth'
    # mmtrack's warm-up of 500 iterations is refused in a training of two.
    training = ('--work-dir', work_dir, '--cfg-options', f'load_from={folder}/random.pth', 'param_scheduler=None')
    test = ('--work-dir', folder / 'test', *options_of_test(folder / 'val'))
    if folder.name == 'fgfa':
        run_mim('train', config, '--gpus', 0, *training)
        through = ('--launcher', 'pytorch', '--gpus', 2, '--port', free_port())
        run_mim('test', config, '--checkpoint', checkpoint, *through, *test)
    else:
        mim('train', config, *training)
        mim('test', config, *test, checkpoint=str(checkpoint))
    return folder


@pytest.fixture(scope='module')
def folders(digits, tmp_path_factory):
    """A folder for each kind with its config and random weights."""
    root = tmp_path_factory.mktemp('mmtrack')
    for name, kind in KINDS.items():
        (root / name).mkdir()
        config = write_narrow(root / name / 'narrow.py', kind, digits)
        write_random(root / name / 'random.pth', config)
    return {name: root / name for name in KINDS}


@pytest.fixture(scope='module')
def run_of(folders):
    """Train and test a kind when it is asked for first: its folder."""
    return functools.cache(lambda kind: train_and_test(folders[kind]))


def logged_metrics(folder):
    """The metrics that a test logged."""
    (log,) = folder.glob('2*/2*.json')
    return {name: value for name, value in json.loads(log.read_text()).items() if name.startswith('vid/')}


def boxes_of_images(content):
    """Boxes of a COCO-VID file by image, in its order."""
    labels = {category['id']: CLASSES.index(category['name']) for category in content['categories']}
    found = {image['id']: [] for image in content['images']}
    for ann in content['annotations']:
        x, y, w, h = ann['bbox']
        found[ann['image_id']].append((x, y, x + w, y + h, ann.get('score'), labels[ann['category_id']]))
    frames = []
    for boxes in found.values():
        columns = np.array(boxes, dtype=float).reshape(-1, 6)
        frames.append(dict(bboxes=columns[:, :4], scores=columns[:, 4], labels=columns[:, 5].astype(int)))
    return frames


@every_kind
def test_two_steps_train_what_is_its_own(kind, run_of):
    folder = run_of(kind)
    steps = logged_steps(folder / 'train')
    assert len(steps) == 2
    for step in steps:
        parts = [step[f'loss_{p}'] for p in ('rpn_cls', 'rpn_bbox', 'cls')]
        parts.append(step['loss_bbox'])
        assert np.isfinite(parts).all()
        assert step['loss'] == pytest.approx(sum(parts), rel=1e-5)
    before = load_checkpoint_file(folder / 'random.pth')['state_dict']
    state = load_checkpoint_file(folder / 'train' / 'epoch_1.pth')
    after = state['state_dict']
    assert after.keys() == before.keys()
    own = KINDS[kind].own
    assert (after[own] != before[own]).any()


@every_kind
def test_metrics_are_those_of_the_predictions(kind, run_of, digits):
    folder = run_of(kind)
    metrics = logged_metrics(folder / 'test')
    assert set(metrics) == {
        'vid/mAP50',
        'vid/mAP50_slow',
        'vid/mAP50_medium',
        'vid/mAP50_fast',
        *(f'vid/AP50/{name}' for name in CLASSES),
    }
    content = json.loads((folder / 'val.predictions.json').read_text())
    truth = json.loads((digits / 'annotations' / 'moving_digits_val.json').read_text())
    found, wanted = boxes_of_images(content), boxes_of_images(truth)
    assert len(found) == len(wanted) == 20
    assert all(len(frame['scores']) for frame in found)
    result = vid_map(found, wanted, 10, iou_thr=0.05)
    assert metrics['vid/mAP50'] == pytest.approx(result['mAP50'], abs=6e-5)
    assert result['mAP50'] > 0
    for name, ap in zip(CLASSES, result['ap']):
        assert metrics[f'vid/AP50/{name}'] == pytest.approx(ap, abs=6e-5, nan_ok=True)


def test_linking_and_two_processes(run_of, run_main, tmp_path):
    """One process finds what two did; the linked scores are others."""
    folder = run_of('fgfa')
    status, _, stderr = run_main(
        'test.py',
        folder / 'narrow.py',
        folder / 'train' / 'epoch_1.pth',
        '--work-dir',
        tmp_path / 'work',
        *options_of_test(tmp_path / 'linked'),
        'test_evaluator.linker.type=mmrdn.TubeLinking',
    )
    assert status == 0, stderr
    before = logged_metrics(folder / 'test')
    metrics = logged_metrics(tmp_path / 'work')
    for name in ('mAP50', 'mAP50_slow', 'mAP50_medium', 'mAP50_fast'):
        assert metrics[f'vid/{name}_unlinked'] == pytest.approx(before[f'vid/{name}'], nan_ok=True)
    one, two = (
        json.loads((path / f'{name}.predictions.json').read_text())
        for path, name in ((tmp_path, 'linked'), (folder, 'val'))
    )
    assert one['info']['linker'] == 'TubeLinking'
    assert len(one['annotations']) == len(two['annotations']) > 20
    for ours, theirs in zip(one['annotations'], two['annotations']):
        for key in ('image_id', 'category_id', 'bbox'):
            assert ours[key] == theirs[key]
        assert ours['unlinked_score'] == theirs['score']
    assert any(a['score'] != a['unlinked_score'] for a in one['annotations'])
    assert any('instance_id' in a for a in one['annotations'])
