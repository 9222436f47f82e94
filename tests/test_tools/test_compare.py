# Copyright (c) mmrdn contributors. All rights reserved.
"""Two RDN variants and mmtrack's SELSA, compared as a user does."""

import csv
import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from helpers.tools import logged_steps, write_config
from mmrdn.comparison import detector_run
from mmrdn.fileio.checkpoint import load_checkpoint_file

# mmtrack's config, narrower, on our data and metric; 2 iterations.
SELSA = """
_base_ = 'mmtrack::vid/selsa/selsa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'
nms = dict(nms_pre=64, max_per_img=16)
model = dict(
    detector=dict(
        backbone=dict(
            depth=18, base_channels=8, frozen_stages=-1, init_cfg=None),
        neck=dict(in_channels=[64], out_channels=16),
        rpn_head=dict(in_channels=16, feat_channels=16),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=16),
            bbox_head=dict(
                in_channels=16,
                fc_out_channels=32,
                num_classes=10,
                aggregator=dict(in_channels=32, num_attention_blocks=4))),
        train_cfg=dict(
            rpn_proposal=nms, rcnn=dict(sampler=dict(num=16))),
        test_cfg=dict(rpn=nms)))
resize = dict(type='mmdet.Resize', scale=(160, 128), keep_ratio=True)
digits = dict(
    type='mmrdn.MovingDigitsDataset',
    data_root='{data}/',
    data_prefix=dict(img_path='Data/VID'))
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    sampler=dict(_delete_=True, type='mmrdn.SeededInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        ann_file='annotations/moving_digits_train.json',
        pipeline=[
            dict(
                type='TransformBroadcaster',
                share_random_params=True,
                transforms=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadTrackAnnotations', with_instance_id=True),
                    resize
                ]),
            dict(type='PackTrackInputs')
        ],
        ref_img_sampler=dict(
            num_ref_imgs=2,
            frame_range=2,
            filter_key_img=True,
            method='bilateral_uniform'),
        **digits))
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file='annotations/moving_digits_val.json',
        pipeline=[
            dict(
                type='TransformBroadcaster',
                share_random_params=True,
                transforms=[dict(type='LoadImageFromFile'), resize]),
            dict(type='PackTrackInputs', pack_single_img=False)
        ],
        ref_img_sampler=dict(
            _delete_=True,
            num_ref_imgs=2,
            frame_range=[-2, 2],
            method='test_with_adaptive_stride'),
        **digits))
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=2)
val_cfg = val_dataloader = val_evaluator = None
test_evaluator = dict(
    _delete_=True,
    type='mmrdn.VIDMetric',
    ann_file='{data}/annotations/moving_digits_val.json')
param_scheduler = None
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(by_epoch=False, interval=2))
log_processor = dict(by_epoch=False)
"""
# Detectors of a few iterations find something at a low threshold.
OPTIONS = ['--cfg-options', 'test_evaluator.iou_thr=0.05']


@pytest.fixture(scope='module')
def compared(digits, trained, tiny_config, tmp_path_factory):
    """Configs, work directory, and what the command said."""
    from helpers.tools import run_tool

    root = tmp_path_factory.mktemp('compare')
    basic = write_config(root / 'basic.py', digits, "model['neck'].update(advanced=False)\n")
    selsa = root / 'selsa.py'
    selsa.write_text(SELSA.format(data=digits))
    configs = [tiny_config, basic, selsa, root / 'absent.py']
    args = [
        *configs,
        '--checkpoints',
        trained / 'iter_8.pth',
        '-',
        '-',
        '-',
        '--work-dir',
        root / 'work',
        '--device',
        'cpu',
        *OPTIONS,
    ]
    return args, run_tool('analysis_tools/compare.py', *args, status=1, timeout=1200)


def rows_of(args):
    work = args[args.index('--work-dir') + 1]
    content = json.loads((work / 'comparison.json').read_text())
    return content, {row['name']: row for row in content['rows']}, work


def test_the_one_that_fails_does_not_stop_the_others(compared):
    args, done = compared
    _, rows, _ = rows_of(args)
    assert list(rows) == ['tiny', 'basic', 'selsa', 'absent']
    message = f'config {args[3]} does not exist, and no config of the package has that name'
    assert rows['absent']['error'] == message
    assert done.stderr.splitlines()[-1] == f'error: absent: {message}'


@pytest.mark.parametrize('name', ['tiny', 'basic', 'selsa'])
def test_metrics_are_those_of_a_test_by_itself(compared, run_main, tmp_path, name):
    args, done = compared
    _, rows, _ = rows_of(args)
    row = rows[name]
    status, out, err = run_main(
        'test.py', row['config'], row['checkpoint'], '--work-dir', tmp_path, *OPTIONS, f'experiment_name=alone_{name}'
    )
    assert status == 0, err
    printed = dict(re.findall(r'vid/mAP50(\w*): (\S+)', out.splitlines()[-1]))
    suffixes = dict(mAP50='', slow='_slow', medium='_medium', fast='_fast')
    for key, suffix in suffixes.items():
        assert row[key] == pytest.approx(100 * float(printed[suffix]))
    line = next(text for text in done.stdout.splitlines() if f'│ {name} ' in text)
    cells = [cell.strip() for cell in line.strip('│').split('│')]
    # Of row: 100 * 0.0055 is not quite 0.55, which rounds otherwise.
    assert cells[1:7] == [f'{row[key]:.1f}' for key in suffixes] + [
        f'{row["ms_per_frame"]:.1f}',
        f'{row["parameters"] / 1e6:.2f}',
    ]


@pytest.mark.parametrize('name', ['tiny', 'basic', 'selsa'])
def test_parameters_are_counted(compared, name):
    """All of the checkpoint but the statistics of batch normalization."""
    row = rows_of(compared[0])[1][name]
    state = load_checkpoint_file(row['checkpoint'])['state_dict']
    assert row['parameters'] == sum(
        torch.tensor(value.shape).prod().item()
        for key, value in state.items()
        if key.split('.')[-1] not in ('running_mean', 'running_var', 'num_batches_tracked', 'mean', 'std')
    )


def test_what_is_timed(compared):
    """15 frames of 3 videos; the first of the 4 warms up."""
    for name, row in list(rows_of(compared[0])[1].items())[:3]:
        assert (row['frames'], row['videos']) == (15, 3)
        assert row['ms_per_frame'] == pytest.approx(sum(row['ms_by_video']) / 3)
        assert row['machine']['threads'] == 1
        assert (row['train_minutes'] is None) == (name == 'tiny')


def test_files(compared):
    args, done = compared
    content, rows, work = rows_of(args)
    assert content['seed'] == 0
    assert content['data'].endswith('annotations/moving_digits_val.json')
    with open(work / 'comparison.csv', newline='') as file:
        table = list(csv.DictReader(file))
    for line, row in zip(table, rows.values(), strict=True):
        assert line['name'] == row['name']
        for key in ('mAP50', 'ms_per_frame', 'parameters'):
            assert line[key] == str(row.get(key, ''))
    assert (work / 'comparison.png').read_bytes()[:8] == b'\x89PNG\r\n\x1a\n'


def test_the_seed_is_that_of_the_training(compared):
    _, _, work = rows_of(compared[0])
    config = (work / 'basic' / 'config.py').read_text()
    assert 'randomness = dict(seed=0)' in config


def test_finished_steps_are_not_done_again(compared, run_main, monkeypatch):
    """And an interrupted training continues from its last checkpoint."""
    args, _ = compared
    _, before, work = rows_of(args)
    commands = []
    run = detector_run.run_with_progress

    def watch(now, console):
        commands.extend(now)
        return run(now, console) if now[0].title == 'training' else [1.0]

    monkeypatch.setattr(detector_run, 'run_with_progress', watch)
    assert run_main('analysis_tools/compare.py', *args)[0] == 1
    assert commands == []
    assert rows_of(args)[1] == before

    # As if it had been interrupted after 4 of 8 iterations.
    directory = work / 'basic'
    for name in ('result.json', 'trained.json', 'iter_8.pth'):
        (directory / name).unlink()
    (directory / 'last_checkpoint').write_text(str(directory / 'iter_4.pth'))
    assert run_main('analysis_tools/compare.py', *args)[0] == 1
    assert [command.title for command in commands] == ['training', 'testing']
    assert all('basic.py' in ' '.join(command.words) for command in commands)
    assert [line['step'] for line in logged_steps(directory)] == [5, 6, 7, 8]
    after = rows_of(args)[1]
    assert after['basic'].pop('train_minutes') is None
    assert before['basic'].pop('train_minutes') > 0
    assert after == before


def test_other_settings_do_not_replace_results(compared, run_main):
    args, _ = compared
    _, before, work = rows_of(args)
    status, _, err = run_main(
        'analysis_tools/compare.py',
        *args[:1],
        *args[4:6],
        '--work-dir',
        work,
        '--out',
        work.parent / 'other',
        '--seed',
        '1',
    )
    claim = work / 'tiny' / 'settings.json'
    assert status == 1
    assert err.splitlines()[-1] == (
        f'error: tiny: {work}/tiny holds a run with other settings (see {claim}); choose another --work-dir'
    )
    assert rows_of(args)[1] == before


def test_other_ground_truth_under_the_same_name(compared, run_main):
    """Boxes that were made again after the test."""
    args, _ = compared
    _, _, work = rows_of(args)
    settings = json.loads((work / 'tiny' / 'settings.json').read_text())
    ann_file = Config.fromfile(args[0]).test_evaluator.ann_file
    content = Path(ann_file).read_bytes()
    assert settings['ground_truth'] == hashlib.sha256(content).hexdigest()[:16]
    try:
        Path(ann_file).write_bytes(content + b'\n')
        status, _, err = run_main('analysis_tools/compare.py', *args)
    finally:
        Path(ann_file).write_bytes(content)
    assert status == 1
    assert f'{work}/tiny holds a run with other settings' in err


def test_other_data(compared, run_main, digits, tmp_path):
    """One line that names both files, before anything is trained."""
    args, _ = compared
    ann_file = digits / 'annotations' / 'moving_digits_train.json'
    other = write_config(tmp_path / 'other.py', digits, f"test_dataloader['dataset'].update(ann_file='{ann_file}')\n")
    status, out, err = run_main('analysis_tools/compare.py', args[0], other, '--work-dir', tmp_path / 'work')
    assert (status, out) == (1, '')
    assert err == (
        'error: detectors must be compared on the same data: the test data of '
        f'tiny is {digits}/annotations/moving_digits_val.json, that of other '
        f'is {ann_file}\n'
    )
    assert not (tmp_path / 'work').exists()


def test_a_folder_of_something_else(tiny_config, run_main, tmp_path):
    directory = tmp_path / 'work' / 'tiny'
    directory.mkdir(parents=True)
    (directory / 'mine.txt').write_text('mine')
    status, _, err = run_main('analysis_tools/compare.py', tiny_config, '--work-dir', tmp_path / 'work')
    assert status == 1
    assert err.splitlines()[-1] == (
        f'error: tiny: {directory} is not empty and holds no run of this kind; choose another --work-dir'
    )
    assert [path.name for path in directory.iterdir()] == ['mine.txt']


@pytest.mark.parametrize(
    'extra, message',
    [
        (['--checkpoints', 'a', 'b'], '--checkpoints must name one for each of the 1 configs, or - to train it, got 2'),
        (['--threads', '0'], '--threads must be 1 or more, got 0'),
        (['--device', 'tpu'], '--device must be cpu, cuda or cuda:N, got tpu'),
        (['--checkpoints', 'no.pth'], 'tiny: checkpoint no.pth does not exist'),
        (['--cfg-options', 'x'], 'tiny: --cfg-options must be key=value, got x'),
    ],
)
def test_bad_input(extra, message, tiny_config, run_main, tmp_path):
    status, _, err = run_main('analysis_tools/compare.py', tiny_config, '--work-dir', tmp_path, *extra)
    assert status == 1
    assert err.splitlines()[-1] == f'error: {message}'
