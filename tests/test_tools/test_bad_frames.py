# Copyright (c) mmrdn contributors. All rights reserved.
"""Tests that meet bad frames, or are ended in the middle, and continue."""

import collections
import json
import re
import shutil
import signal
import types
from pathlib import Path

import pytest
import torch
from mmtrack.models import BaseVideoDetector

from helpers.rdn import tiny_model
from helpers.tools import free_port, run_tool, write_config
from mmrdn.engine import VideoTestLoop
from mmrdn.fileio.checkpoint import load_checkpoint_file

# Frames of 4 videos of 5 frames each: inside, first, two at the end, last of all.
BAD = [2, 5, 13, 14, 19]
SINGLE = 'model.update(neck=None, support_sampler=None)\n'
# The process is ended by a signal in its third video.
ENDED = """
import os
from mmrdn.engine import VideoTestLoop

run_iter = VideoTestLoop.run_iter

def ended_run_iter(self, idx, data_batch):
    if idx == 13:
        os.kill(os.getpid(), {number})
    run_iter(self, idx, data_batch)

VideoTestLoop.run_iter = ended_run_iter
"""


@pytest.fixture
def videos(digits, tmp_path):
    """A copy of the data set: its directory and the file names of its frames."""
    data = Path(shutil.copytree(digits, tmp_path / 'data'))
    coco = json.loads((data / 'annotations' / 'moving_digits_val.json').read_text())
    frames = sorted(coco['images'], key=lambda image: (image['video_id'], image['frame_id']))
    return data, [data / 'Data' / 'VID' / image['file_name'] for image in frames]


def arguments(config, trained, out, *options, checkpoint='iter_8.pth', changes=()):
    """Arguments of ``test.py``; predictions go to ``out``, everything else to its directory."""
    prefix = f'test_evaluator.outfile_prefix={out}'
    thr = 'test_evaluator.iou_thr=0.05'
    work_dir = out.parent / 'work'
    return [config, trained / checkpoint, '--work-dir', work_dir, *options, '--cfg-options', prefix, thr, *changes]


def damage(paths):
    """Truncate every second file and remove the others."""
    for i, path in enumerate(paths):
        path.write_bytes(path.read_bytes()[:-40]) if i % 2 else path.unlink()


def boxes_of(path):
    """Boxes with their scores by file name."""
    coco = json.loads(Path(path).read_text())
    names = {image['id']: image['file_name'] for image in coco['images']}
    boxes = collections.defaultdict(list)
    for entry in coco['annotations']:
        boxes[names[entry['image_id']]].append((entry['category_id'], entry['score'], entry['bbox']))
    return boxes


def metrics_of(out):
    """The line of metrics, without the times that MMEngine adds."""
    line = next(line for line in out.splitlines() if 'vid/mAP50:' in line)
    return line[line.index('vid/') :].split('  data_time')[0]


def kept(work_dir):
    """Finished videos, without a file that a process was writing when it was killed."""
    return sorted(path for path in work_dir.glob('test-*.partial/*') if not path.name.startswith('.'))


@pytest.mark.parametrize('extra, changes', [('', ()), ('', ('model.lookahead_batch=3',)), (SINGLE, ())])
def test_skipped_frames_are_empty_and_as_if_they_did_not_exist(extra, changes, videos, trained, run_main, tmp_path):
    """Other frames equal those of a data set without the bad ones."""
    data, paths = videos
    config = write_config(tmp_path / 'tiny.py', data, extra)
    if extra:
        state = load_checkpoint_file(trained / 'iter_8.pth')['state_dict']
        trained = tmp_path
        torch.save({name: value for name, value in state.items() if 'neck.' != name[:5]}, trained / 'iter_8.pth')
    args = arguments(config, trained, tmp_path / 'without', changes=changes)
    ann_file = data / 'annotations' / 'moving_digits_val.json'
    whole = ann_file.read_text()
    coco = json.loads(whole)
    bad = {str(paths[i].relative_to(data / 'Data' / 'VID')) for i in BAD}
    bad_ids = {image['id'] for image in coco['images'] if image['file_name'] in bad}
    coco['images'] = [image for image in coco['images'] if image['id'] not in bad_ids]
    coco['annotations'] = [entry for entry in coco['annotations'] if entry['image_id'] not in bad_ids]
    numbers = collections.Counter()
    for image in sorted(coco['images'], key=lambda image: (image['video_id'], image['frame_id'])):
        image['frame_id'] = numbers[image['video_id']]
        numbers[image['video_id']] += 1
    ann_file.write_text(json.dumps(coco))
    status, _, err = run_main('test.py', *args)
    assert status == 0, err

    ann_file.write_text(whole)
    damage([paths[i] for i in BAD])
    args = arguments(config, trained, tmp_path / 'skipped', '--on-bad-frame', 'skip', changes=changes)
    status, out, err = run_main('test.py', *args)
    assert status == 3, err
    assert err.splitlines()[-1] == 'error: 5 bad frames count as frames without detections'
    expected = boxes_of(tmp_path / 'without.predictions.json')
    found = boxes_of(tmp_path / 'skipped.predictions.json')
    assert found == expected and len(found) > 10
    assert json.loads((tmp_path / 'skipped.predictions.json').read_text())['images'] == json.loads(whole)['images']
    assert 'skipped_frames: 5' in out
    for i, index in enumerate(BAD):
        reason = 'is truncated' if i % 2 else 'does not exist'
        assert f'image {paths[index]} {reason}' in out
    assert kept(tmp_path / 'work') == []


def test_stop_and_resume(videos, trained, run_main, tmp_path):
    """The file equals that of a test that nothing broke."""
    data, paths = videos
    config = write_config(tmp_path / 'tiny.py', data)
    status, whole, err = run_main('test.py', *arguments(config, trained, tmp_path / 'whole'))
    assert status == 0, err
    status, _, err = run_main('test.py', *arguments(config, trained, tmp_path / 'first', '--resume-test'))
    assert status == 0 and 'holds no finished videos: the test starts over' in err

    content = paths[12].read_bytes()
    paths[12].write_bytes(content[:-40])
    status, _, err = run_main('test.py', *arguments(config, trained, tmp_path / 'one'))
    assert status == 1
    warning, error = err.splitlines()[-2:]
    assert error == f'error: image {paths[12]} is truncated'
    assert warning.startswith('warning: 2 finished videos are kept in') and '--resume-test' in warning
    assert len(kept(tmp_path / 'work')) == 2

    args = arguments(config, trained, tmp_path / 'one', '--resume-test', checkpoint='iter_4.pth')
    status, _, err = run_main('test.py', *args)
    assert status == 1
    assert 'is of a test with another checkpoint or another config' in err.splitlines()[-1]

    paths[12].write_bytes(content)
    args = arguments(config, trained, tmp_path / 'one', '--resume-test', changes=['test_dataloader.num_workers=1'])
    status, out, err = run_main('test.py', *args)
    assert status == 0, err
    assert 'testing 10/10 frames' in out
    assert (tmp_path / 'one.predictions.json').read_bytes() == (tmp_path / 'whole.predictions.json').read_bytes()
    assert metrics_of(out) == metrics_of(whole)
    assert not list((tmp_path / 'work').glob('*.partial'))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal(number, videos, trained, run_main, tmp_path, monkeypatch):
    """Videos with skipped frames are tested again; here with a linker."""
    data, paths = videos
    linker = "test_evaluator.update(linker=dict(type='SeqNMS'))\n"
    config = write_config(tmp_path / 'tiny.py', data, linker)
    assert run_main('test.py', *arguments(config, trained, tmp_path / 'whole'))[0] == 0
    content = paths[2].read_bytes()
    paths[2].unlink()
    (tmp_path / 'ended.py').write_text(ENDED.format(number=int(number)))
    ended = write_config(tmp_path / 'hooked.py', data, linker + "custom_imports = dict(imports=['ended'])\n")
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    args = arguments(ended, trained, tmp_path / 'one', '--on-bad-frame', 'skip')
    done = run_tool('test.py', *args, status=130 if number == signal.SIGINT else -number)
    assert ('1 finished videos are kept in' in done.stderr) == (number == signal.SIGINT)
    assert len(kept(tmp_path / 'work')) == 1  # the second video
    assert not (tmp_path / 'one.predictions.json').exists()

    paths[2].write_bytes(content)
    status, out, err = run_main('test.py', *arguments(config, trained, tmp_path / 'one', '--resume-test'))
    assert status == 0, err
    assert 'testing 15/15 frames' in out
    assert (tmp_path / 'one.predictions.json').read_bytes() == (tmp_path / 'whole.predictions.json').read_bytes()


def test_two_ranks(videos, trained, run_main, tmp_path):
    """Rank 1 skips a frame; it stops at one, and a single process continues."""
    data, paths = videos
    config = write_config(tmp_path / 'tiny.py', data)
    assert run_main('test.py', *arguments(config, trained, tmp_path / 'whole'))[0] == 0
    content = paths[17].read_bytes()
    paths[17].unlink()
    assert run_main('test.py', *arguments(config, trained, tmp_path / 'one', '--on-bad-frame', 'skip'))[0] == 3
    through = ['-m', 'torch.distributed.run', '--nproc_per_node=2', f'--master_port={free_port()}']
    args = ['--launcher', 'pytorch', '--on-bad-frame', 'skip']
    done = run_tool('test.py', *arguments(config, trained, tmp_path / 'two', *args), through=through, status=1)
    assert done.stderr.count('error: 1 bad frames count as frames without detections') == 1
    assert done.stdout.count(f'image {paths[17]} does not exist') == 1
    assert re.search(r'exitcode *: 3', done.stderr)
    assert (tmp_path / 'two.predictions.json').read_bytes() == (tmp_path / 'one.predictions.json').read_bytes()

    through[-1] = f'--master_port={free_port()}'
    done = run_tool('test.py', *arguments(config, trained, tmp_path / 'three', *args[:2]), through=through, status=1)
    assert f'error: rank 1 of 2: image {paths[17]} does not exist' in done.stderr
    num_kept = len(kept(tmp_path / 'work'))
    assert num_kept >= 1  # the third video; of the others what rank 0 had done by then
    paths[17].write_bytes(content)
    status, out, err = run_main('test.py', *arguments(config, trained, tmp_path / 'three', '--resume-test'))
    assert status == 0, err
    assert f'testing {20 - 5 * num_kept}/{20 - 5 * num_kept} frames' in out
    assert (tmp_path / 'three.predictions.json').read_bytes() == (tmp_path / 'whole.predictions.json').read_bytes()


def test_detectors_that_need_every_frame(videos, trained, run_main, tmp_path):
    """One line, for samples of several frames and for mmtrack's detectors."""
    data, _ = videos
    several = """
test_dataloader['dataset'].update(
    ref_img_sampler=dict(_delete_=True, num_ref_imgs=2, frame_range=[-1, 1], method='test_with_adaptive_stride'),
    pipeline=[dict(type='TransformBroadcaster', transforms=[dict(type='LoadFrame')]), dict(type='PackTrackInputs')])
"""
    config = write_config(tmp_path / 'tiny.py', data, several)
    status, _, err = run_main('test.py', *arguments(config, trained, tmp_path / 'one', '--on-bad-frame', 'skip'))
    assert status == 1
    assert 'needs samples of one frame each' in err.splitlines()[-1] and 'TransformBroadcaster' in err

    class Stateful(BaseVideoDetector):
        loss = predict = _forward = aug_test = None

    with pytest.raises(ValueError, match='does not work with Stateful, which needs every frame'):
        VideoTestLoop._check_model(types.SimpleNamespace(model=Stateful()))
    VideoTestLoop._check_model(types.SimpleNamespace(model=tiny_model()))
