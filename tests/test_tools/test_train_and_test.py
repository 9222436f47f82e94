# Copyright (c) mmrdn contributors. All rights reserved.
"""The tools as a user runs them."""

import json
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from helpers.tools import ROOT, call_tool, free_port, logged_losses, logged_steps, tool_env, write_config
from mmrdn.fileio.checkpoint import load_checkpoint_file


def metrics_of(stdout):
    """The metrics in the last line of a test's log."""
    words = stdout.strip().splitlines()[-1].split()
    return {
        name[:-1]: float(value)
        for name, value in zip(words, words[1:])
        if name.startswith('vid/') and name.endswith(':')
    }


@pytest.fixture(scope='module')
def tested(trained, tiny_config, tmp_path_factory):
    """Predictions of ``tools/test.py`` and the metrics that it printed.

    The thresholds are low so that a detector of 8 iterations finds something.
    """
    prefix = tmp_path_factory.mktemp('tested') / 'one'  # made anew if a worker comes back to this module
    out = call_tool(
        'test.py',
        tiny_config,
        trained / 'iter_8.pth',
        '--work-dir',
        prefix.parent / 'work',
        '--cfg-options',
        f'test_evaluator.outfile_prefix={prefix}',
        'test_evaluator.iou_thr=0.05',
    )
    return f'{prefix}.predictions.json', metrics_of(out)


def test_training(trained):
    steps = logged_steps(trained)
    assert [line['step'] for line in steps] == list(range(1, 9))
    parts = ('loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox')
    # The message hub smooths over 10 iterations: the first is as it is.
    assert steps[0]['loss'] == pytest.approx(sum(steps[0][part] for part in parts), abs=1e-5)
    assert steps[0]['loss_rpn_cls'] == pytest.approx(np.log(2), abs=1e-3)
    assert steps[-1]['loss'] < steps[0]['loss']
    assert {p.name for p in trained.glob('*.p*')} == {
        'config.py',
        'iter_4.pth',
        'iter_8.pth',
        'best_vid_mAP50_iter_8.pth',
    }
    dumped = Config.fromfile(trained / 'config.py')
    assert dumped.model.support_sampler.num_support == 6
    assert dumped.experiment_name == 'tiny'


def test_dumped_predictions_give_the_same_metrics(tested, digits):
    path, printed = tested
    out = call_tool('analysis_tools/eval_predictions.py', path, digits / 'annotations' / 'moving_digits_val.json')
    again = {
        name: float(value) for name, value in (line.split(': ') for line in out.splitlines() if line.startswith('vid/'))
    }
    assert len(json.loads(open(path).read())['annotations']) > 20
    assert set(again) == set(printed)
    for name, value in again.items():
        assert value == pytest.approx(printed[name], abs=1e-9, nan_ok=True)


def test_two_processes_equal_one(tested, trained, tiny_config, tmp_path):
    """By ``mim test``; the progress counts the frames of both."""
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'mim',
            'test',
            'mmrdn',
            tiny_config,
            '--checkpoint',
            trained / 'iter_8.pth',
            '--launcher',
            'pytorch',
            '--gpus',
            '2',
            '--port',
            str(free_port()),
            '--work-dir',
            tmp_path,
            '--cfg-options',
            f'test_evaluator.outfile_prefix={tmp_path}/two',
            'test_evaluator.iou_thr=0.05',
        ],
        env=tool_env(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ours = (tmp_path / 'two.predictions.json').read_bytes()
    assert ours == open(tested[0], 'rb').read()
    lines = done.stdout.splitlines()
    result = next(line for line in lines if 'vid/mAP50:' in line)
    assert metrics_of(result) == pytest.approx(tested[1], nan_ok=True)
    shown = [line for line in lines if line.startswith('testing ')]
    assert shown[-1] == 'testing 20/20 frames'
    assert not any('eta:' in line for line in lines)  # of rank 0's shard


def by_mim(config):
    """(command, environment variables) of mim's launcher, two processes."""
    return [
        (
            [
                sys.executable,
                '-m',
                'mim',
                'train',
                'mmrdn',
                config,
                '--launcher',
                'pytorch',
                '--gpus',
                '2',
                '--port',
                free_port(),
            ],
            {},
        )
    ]


def by_two_machines(config):
    """The same of ``dist_train.sh`` on two nodes, a process each."""
    script = ['bash', ROOT / 'tools' / 'dist_train.sh', config, '1']
    port = str(free_port())
    return [(script, dict(NNODES='2', NODE_RANK=str(rank), PORT=port)) for rank in range(2)]


@pytest.mark.parametrize('launch', [by_mim, by_two_machines])
def test_two_processes_train(launch, tiny_config, tmp_path):
    """With half the batch each."""
    options = [
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'train_cfg.max_iters=2',
        'param_scheduler.0.pct_start=0.4',
        'default_hooks.checkpoint.interval=2',
        'val_cfg=None',
        'val_dataloader=None',
        'val_evaluator=None',
    ]
    with open(tmp_path / 'printed', 'w+') as printed:
        jobs = [
            subprocess.Popen(
                [str(word) for word in [*command, *options]],
                env=dict(tool_env(), PYTHON=sys.executable, **env),
                cwd=tmp_path,
                stdout=printed,
                stderr=printed,
            )
            for command, env in launch(tiny_config)
        ]
        ends = [job.wait(timeout=300) for job in jobs]
        printed.seek(0)
        text = printed.read()
    assert not any(ends), text
    assert 'GPU number: 2' in text
    losses = logged_losses(tmp_path)
    assert len(losses) == 2 and np.isfinite(losses).all()
    checkpoint = load_checkpoint_file(tmp_path / 'iter_2.pth')
    assert not any(name.startswith('module.') for name in checkpoint['state_dict'])


def test_settings_of_the_tables_at_test_time(run_main, trained, tiny_config, tested, tmp_path):
    """T, K and r% from the command line change the result."""
    status, out, err = run_main(
        'test.py',
        tiny_config,
        trained / 'iter_8.pth',
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'model.temporal_range=1',
        'model.support_sampler.num_support=4',
        'model.support_sampler.advanced_ratio=0.5',
        'experiment_name=tables',
        f'test_evaluator.outfile_prefix={tmp_path}/p',
    )
    assert status == 0, err
    text = (tmp_path / 'config.py').read_text()
    for line in ('temporal_range=1', 'num_support=4', 'advanced_ratio=0.5'):
        assert line in text
    changed = json.loads((tmp_path / 'p.predictions.json').read_text())
    before = json.loads(open(tested[0]).read())
    assert changed['images'] == before['images']
    assert changed['annotations'] != before['annotations']


def test_amp_on_the_cpu(run_main, tiny_config, trained, tmp_path):
    """bf16 matmuls: losses near those in fp32, not equal; weights fp32."""
    status, _, err = run_main(
        'train.py', tiny_config, '--amp', '--work-dir', tmp_path, '--cfg-options', 'experiment_name=amp'
    )
    assert status == 0, err
    found = logged_losses(tmp_path)[:4]
    expected = logged_losses(trained)[:4]
    assert found == pytest.approx(expected, rel=0.05)
    assert found != expected
    state = load_checkpoint_file(tmp_path / 'iter_4.pth')['state_dict']
    assert {v.dtype for v in state.values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize('options, changes', [(['--amp'], True), (['model.lookahead_batch=2'], False)])
def test_options_of_inference(run_main, trained, tiny_config, tested, tmp_path, options, changes):
    """Scores stay near those of plain fp32, bf16's within its 8 bits."""
    args = [a for a in options if a.startswith('--')]
    options = [a for a in options if not a.startswith('--')]
    status, _, err = run_main(
        'test.py',
        tiny_config,
        trained / 'iter_8.pth',
        '--work-dir',
        tmp_path,
        *args,
        '--cfg-options',
        f'test_evaluator.outfile_prefix={tmp_path}/p',
        *options,
    )
    assert status == 0, err
    top = []
    for path in (tmp_path / 'p.predictions.json', tested[0]):
        scores = dict()
        for box in json.loads(open(path).read())['annotations']:
            scores.setdefault(box['image_id'], []).append(box['score'])
        top.append({i: max(values) for i, values in scores.items()})
    assert top[0] == pytest.approx(top[1], abs=0.05 if changes else 1e-4)
    assert (top[0] != top[1]) or not changes


def test_phase_2_starts_from_phase_1(run_main, digits, tmp_path):
    """Nothing unexpected; only the advanced stage is new."""
    basic = write_config(tmp_path / 'basic.py', digits, "model['neck'].update(advanced=False)\n")
    status, _, err = run_main('train.py', basic, '--work-dir', tmp_path / '1', '--cfg-options', 'train_cfg.max_iters=4')
    assert status == 0, err
    full = write_config(tmp_path / 'full.py', digits, f"load_from = '{tmp_path}/1/iter_4.pth'\n")
    status, out, err = run_main(
        'train.py', full, '--work-dir', tmp_path / '2', '--cfg-options', 'train_cfg.max_iters=4'
    )
    assert status == 0, err
    assert 'unexpected key' not in out + err
    missing = out.split('missing keys in source state_dict: ')[1]
    names = missing.splitlines()[0].split(', ')
    assert {'.'.join(name.split('.')[:2]) for name in names} == {'neck.support_relation', 'neck.reference_relation'}
    ours = load_checkpoint_file(tmp_path / '2' / 'iter_4.pth')['state_dict']
    before = load_checkpoint_file(tmp_path / '1' / 'iter_4.pth')['state_dict']
    assert set(ours) - set(before) == set(names)
    assert set(before) <= set(ours)


def test_print_config(run_main, tiny_config):
    status, out, err = run_main('misc/print_config.py', tiny_config, '--cfg-options', 'model.temporal_range=5')
    assert (status, err) == (0, '')
    cfg = Config.fromstring(out, '.py')
    assert cfg.model.temporal_range == 5  # the command line's
    assert cfg.model.neck.in_channels == 32  # the file's
    assert cfg.model.neck.type == 'RelationAggregator'  # its base's
    assert cfg.val_evaluator.type == 'VIDMetric'  # the base of its base


def test_browse_dataset(run_main, tiny_config, tmp_path):
    folder = tmp_path / 'pictures'
    args = ('analysis_tools/browse_dataset.py', tiny_config, '--output-dir', folder, '--max-samples', 3)
    status, out, err = run_main(*args)
    assert (status, err) == (0, '')
    assert out == f'3 images are in {folder}\n'
    paths = sorted(folder.iterdir())
    assert [path.name[:6] for path in paths] == ['000000', '000001', '000002']
    # Key and two supports of 128 x 160 pixels, titles of 18, margins of 4.
    assert cv2.imread(str(paths[0])).shape == (146, 3 * 164 + 4, 3)
    written = {path: path.read_bytes() for path in paths}
    paths[0].write_text('mine')

    status, _, err = run_main(*args)
    assert status == 1
    assert err == (f'error: directory {folder} is not empty; choose another one or pass --overwrite\n')
    assert paths[0].read_text() == 'mine'

    assert run_main(*args, '--overwrite')[0] == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == written


@pytest.mark.parametrize('message', ['interrupted after iteration 3: --resume continues from x', ''])
def test_an_interrupted_training_says_where_it_is_saved(message, run_main, tiny_config, tmp_path, monkeypatch):
    """The line of :func:`mmrdn.apis.train`; it may be interrupted before it trains."""

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt(message)

    monkeypatch.setattr('mmrdn.apis.build_runner', interrupted)
    before = signal.getsignal(signal.SIGCHLD)
    status, _, err = run_main('train.py', tiny_config, '--work-dir', tmp_path)
    signal.signal(signal.SIGCHLD, before)  # for workers of later tests
    assert (status, err) == (130, f'{message or "interrupted"}\n')
