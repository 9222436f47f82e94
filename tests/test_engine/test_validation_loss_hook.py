# Copyright (c) mmrdn contributors. All rights reserved.
"""The validation loss of a tiny detector against the same losses measured by hand."""

import json
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from helpers.toy import runner_of
from mmrdn.apis.config_files import load_config
from mmrdn.datasets import MovingDigitsDataset, SeededIndex
from mmrdn.engine import ValidationLossHook
from mmrdn.setup_env import register_all_modules


@pytest.fixture(scope='module')
def runner(tiny_config, tmp_path_factory):
    """A training of no iterations that is ready to validate."""
    options = {'default_hooks.val_loss.num_samples': 3, 'train_cfg.max_iters': 2, 'train_cfg.val_interval': 1}
    cfg = load_config(str(tiny_config), options, str(tmp_path_factory.mktemp('run')))
    return runner_of(cfg)


def hook_of(runner):
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, ValidationLossHook))
    return hook


def every_frame(runner, digits, tmp_path):
    """The 20 frames of the validation, from a file that marks all of them for training."""
    data = json.loads((digits / 'annotations' / 'moving_digits_val.json').read_text())
    assert len(data['images']) == 20 and not any(image.pop('is_vid_train_frame') for image in data['images'])
    path = tmp_path / 'val.json'
    path.write_text(json.dumps(data))
    settings = dict(runner.cfg.train_dataloader.dataset, ann_file=str(path))
    settings.pop('type')
    dataset = MovingDigitsDataset(**settings)
    assert len(dataset) == 20
    return dataset


@pytest.mark.slow
def test_losses_by_hand(runner, digits, tmp_path):
    register_all_modules()
    hook, model = hook_of(runner), runner.model
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    hook.before_train(runner)
    hook.before_val_epoch(runner)
    metrics = {'vid/mAP50': 0.5}
    hook.after_val_epoch(runner, metrics)
    dataset = every_frame(runner, digits, tmp_path)
    # (2 i + 1) 20 / 6 = 3.3, 10, 16.7
    expected = []
    model.eval()
    for i, index in enumerate((3, 10, 16)):
        with torch.no_grad():
            batch = model.data_preprocessor(pseudo_collate([dataset[SeededIndex(index, runner.seed, i)]]))
            losses = model.loss(**batch)
        expected.append({name: float(sum(v) if isinstance(v, list) else v) for name, v in losses.items()})
    for name in ('loss_cls', 'loss_bbox', 'loss_rpn_cls', 'loss_rpn_bbox'):
        assert metrics[f'val_{name}'] == pytest.approx(np.mean([losses[name] for losses in expected]), rel=1e-5)
    parts = [metrics[f'val_{name}'] for name in ('loss_cls', 'loss_bbox', 'loss_rpn_cls', 'loss_rpn_bbox')]
    assert metrics['val_loss'] == pytest.approx(sum(parts), rel=1e-5) and metrics['vid/mAP50'] == 0.5
    assert runner.message_hub.get_scalar('val/val_loss').current() == metrics['val_loss']


@pytest.mark.slow
def test_always_the_same_and_without_a_trace(runner):
    """Two measurements agree, and the random numbers of the training continue as if there were none."""
    hook = hook_of(runner)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    hook.before_train(runner)

    def drawn():
        return random.random(), np.random.rand(), float(torch.rand(1))

    def seed():
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    seed()
    expected = drawn()
    found = []
    for _ in range(2):
        seed()
        hook.before_val_epoch(runner)
        assert drawn() == expected
        found.append(dict(hook._losses))
        random.seed(7), np.random.seed(7), torch.manual_seed(7)
    assert found[0] == found[1] and found[0]['val_loss'] > 0


@pytest.mark.parametrize('num_samples', [0, -1, 2.5, 'all'])
def test_bad_numbers(num_samples):
    with pytest.raises(ValueError, match=f'num_samples must be 1 or more, or None for no loss, got {num_samples}$'):
        ValidationLossHook(num_samples)


@pytest.mark.slow
def test_a_training_logs_it(tiny_config, tmp_path):
    """Beside the scores of each validation; the best checkpoint may go by it."""
    options = {
        'default_hooks.val_loss.num_samples': 2,
        'default_hooks.checkpoint.save_best': 'val_loss',
        'default_hooks.checkpoint.rule': 'less',
        'train_cfg.max_iters': 4,
        'train_cfg.val_interval': 2,
    }
    runner = runner_of(load_config(str(tiny_config), options, str(tmp_path)))
    runner.train()
    (log,) = tmp_path.glob('2*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    validations = [line for line in lines if 'vid/mAP50' in line]
    assert len(validations) == 2 and all(line['val_loss'] > 0 for line in validations)
    assert len(list(tmp_path.glob('best_val_loss_iter_*.pth'))) == 1


def test_without_it_nothing_is_read(tiny_config, tmp_path):
    hook = ValidationLossHook(None)
    hook.before_train(None)
    hook.before_val_epoch(None)
    metrics = {}
    hook.after_val_epoch(None, metrics)
    assert metrics == {}
