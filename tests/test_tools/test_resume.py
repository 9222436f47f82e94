# Copyright (c) mmrdn contributors. All rights reserved.
"""A training that was killed and resumed equals an unbroken one."""

import shutil
import signal

import pytest
import torch

from helpers.tools import logged_steps, run_tool, write_config
from mmrdn.fileio.checkpoint import load_checkpoint_file

# Kills its own process in the seventh iteration, two after a checkpoint.
KILLER = """
import os
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class Killer(Hook):

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 6:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def assert_same_end(work_dir, trained, first_step):
    """Weights, optimizer and the logged curve from ``first_step`` on."""
    expected = logged_steps(trained)[first_step - 1 :]
    found = logged_steps(work_dir)
    assert [step['step'] for step in found] == list(range(first_step, 9))
    for ours, theirs in zip(found, expected):
        for name in ours:
            if 'loss' in name or name in ('lr', 'grad_norm', 'acc'):
                assert ours[name] == theirs[name], (ours['step'], name)
    ours = load_checkpoint_file(work_dir / 'iter_8.pth')
    theirs = load_checkpoint_file(trained / 'iter_8.pth')
    assert ours['state_dict'].keys() == theirs['state_dict'].keys()
    for name, value in theirs['state_dict'].items():
        assert torch.equal(ours['state_dict'][name], value), name
    for i, state in theirs['optimizer']['state'].items():
        for name in ('exp_avg', 'exp_avg_sq'):
            assert torch.equal(ours['optimizer']['state'][i][name], state[name])


def test_killed_and_resumed_with_a_worker(trained, tiny_config, digits, run_main, tmp_path, monkeypatch):
    """The unbroken run had no worker: their number makes no difference."""
    (tmp_path / 'killer.py').write_text(KILLER)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    config = write_config(
        tmp_path / 'killed.py',
        digits,
        "custom_imports = dict(imports=['killer'])\n"
        "custom_hooks = _base_.custom_hooks + [dict(type='Killer')]\n"
        "train_dataloader['num_workers'] = 1\n",
    )
    work_dir = tmp_path / 'work'
    run_tool('train.py', config, '--work-dir', work_dir, status=-signal.SIGKILL)
    assert not (work_dir / 'iter_8.pth').exists()
    assert len(logged_steps(work_dir)) == 6  # two are to be done again
    options = ['train_dataloader.num_workers=1', 'experiment_name=killed']
    status, out, err = run_main('train.py', tiny_config, '--work-dir', work_dir, '--resume', '--cfg-options', *options)
    assert status == 0, err
    assert 'resumed epoch: 0, iter: 4' in out
    assert_same_end(work_dir, trained, first_step=5)


def test_resumed_without_workers(trained, tiny_config, run_main, tmp_path):
    """From a directory that was moved; the log's history comes along."""
    shutil.copy(trained / 'iter_4.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_4.pth')
    status, _, err = run_main(
        'train.py', tiny_config, '--work-dir', tmp_path, '--resume', '--cfg-options', 'experiment_name=resumed'
    )
    assert status == 0, err
    assert_same_end(tmp_path, trained, first_step=5)


def test_nothing_to_resume_from(trained, tiny_config, run_main, tmp_path):
    """The same command may be started again and again."""
    status, _, err = run_main(
        'train.py', tiny_config, '--work-dir', tmp_path, '--resume', '--cfg-options', 'experiment_name=anew'
    )
    assert status == 0
    assert (f'warning: work_dir {tmp_path} holds no checkpoint to resume from: the training starts over\n') in err
    assert_same_end(tmp_path, trained, first_step=1)


def test_the_work_directory_goes_before_load_from(trained, digits, run_main, tmp_path):
    """A phase 2 that is resumed must not start again from phase 1."""
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    shutil.copy(trained / 'iter_4.pth', work_dir)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_4.pth'))
    config = write_config(tmp_path / 'second.py', digits, f"load_from = '{trained}/iter_8.pth'\n")
    status, out, err = run_main('train.py', config, '--work-dir', work_dir, '--resume')
    assert status == 0, err
    assert_same_end(work_dir, trained, first_step=5)


def test_a_named_checkpoint_that_is_missing(tiny_config, run_main, tmp_path):
    status, _, err = run_main('train.py', tiny_config, '--work-dir', tmp_path, '--resume', tmp_path / 'iter_9.pth')
    assert status == 1
    assert err == f'error: checkpoint {tmp_path}/iter_9.pth does not exist\n'


@pytest.mark.parametrize('content, message', [(b'', 'is empty'), (b'PK\x03\x04half', 'is truncated or damaged')])
def test_a_damaged_last_checkpoint(content, message, tiny_config, run_main, tmp_path):
    (tmp_path / 'iter_4.pth').write_bytes(content)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_4.pth'))
    status, _, err = run_main('train.py', tiny_config, '--work-dir', tmp_path, '--resume')
    assert status == 1
    assert err.startswith(f'error: checkpoint {tmp_path}/iter_4.pth {message}')
    assert err.count('\n') == 1
    assert (tmp_path / 'iter_4.pth').read_bytes() == content


@pytest.mark.parametrize('last', ['truncated', 'missing', 'not recorded'])
def test_the_newest_whole_checkpoint_is_resumed(last, trained, tiny_config, run_main, tmp_path):
    """With a warning about the newer one; one that is not of a training does not count."""
    shutil.copy(trained / 'iter_4.pth', tmp_path)
    torch.save(dict(state_dict={}), tmp_path / 'iter_5.pth')
    if last == 'truncated':
        content = (trained / 'iter_8.pth').read_bytes()
        (tmp_path / 'iter_8.pth').write_bytes(content[: len(content) // 2])
    record = '' if last == 'not recorded' else str(tmp_path / 'iter_8.pth')
    (tmp_path / 'last_checkpoint').write_text(record)
    status, _, err = run_main(
        'train.py', tiny_config, '--work-dir', tmp_path, '--resume', '--cfg-options', f'experiment_name={tmp_path.name}'
    )
    assert status == 0, err
    problem = {
        'truncated': f'checkpoint {tmp_path}/iter_8.pth is truncated or damaged (File is not a zip file)',
        'missing': f'checkpoint {tmp_path}/iter_8.pth does not exist',
        'not recorded': f'{tmp_path}/last_checkpoint names no checkpoint',
    }[last]
    assert f'warning: {problem}; continuing from {tmp_path}/iter_4.pth\n' in err
    assert_same_end(tmp_path, trained, first_step=5)
