# Copyright (c) mmrdn contributors. All rights reserved.
"""The recipes of docs/training.md: each config is built, trains a few iterations, and does what its heading says."""

import re
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model import efficient_conv_bn_eval
from torch.nn.modules.batchnorm import _BatchNorm

from helpers.pages import blocks_to_run
from helpers.tools import logged_steps
from mmrdn.apis.config_files import unread_keys
from mmrdn.fileio.checkpoint import load_checkpoint_file

RECIPES = [block for block in blocks_to_run('docs/training.md', 'python')]
# A few iterations of what is 500 or more in the page.
SHORT = (
    (r'max_iters=3000', 'max_iters=4'),
    (r'val_interval=500', 'val_interval=2'),
    (r'\binterval=500', 'interval=2'),
    (r'milestones=\[2000, 2600\]', 'milestones=[2, 3]'),
    (r'max_epochs=12', 'max_epochs=2'),
    (r'milestones=\[8, 11\]', 'milestones=[1]'),
)


@pytest.fixture
def train(tiny_config, tmp_path, run_main):
    """Train with a recipe: its config, the logged steps, the last checkpoint's path."""

    def call(block):
        (tmp_path / 'my_config.py').write_text(f"_base_ = '{tiny_config}'\ntrain_cfg = dict(max_iters=4)\n")
        text = block.text
        for pattern, replacement in SHORT:
            text = re.sub(pattern, replacement, text)
        path = tmp_path / 'recipe.py'
        path.write_text(text)
        cfg = Config.fromfile(path)
        assert unread_keys(cfg) == []
        work_dir = tmp_path / 'work'
        status, out, err = run_main('train.py', path, '--work-dir', work_dir)
        assert status == 0, err
        return cfg, logged_steps(work_dir), work_dir

    return call


def recipe(word):
    """The recipe that has a word."""
    (found,) = [block for block in RECIPES if word in block.text]
    return found


def test_every_recipe_is_tried():
    assert len(RECIPES) == 11


def test_accumulation(train):
    cfg, steps, work_dir = train(recipe('accumulative_counts'))
    assert cfg.train_dataloader.batch_size * cfg.optim_wrapper.accumulative_counts == 4
    assert [step['step'] for step in steps] == [1, 2, 3, 4]
    # Two steps of the optimizer in four iterations.
    state = load_checkpoint_file(work_dir / 'iter_4.pth')['optimizer']['state']
    assert {int(entry['step']) for entry in state.values()} == {2}


def test_one_cycle(train):
    _, steps, _ = train(recipe("type='OneCycleLR'"))
    assert len(steps) == 4 and max(step['lr'] for step in steps) <= 5e-4 + 1e-9


def test_steps(train):
    (block,) = [block for block in RECIPES if 'MultiStepLR' in block.text and 'by_epoch=False' in block.text]
    _, steps, _ = train(block)
    assert [step['lr'] for step in steps] == pytest.approx([5e-4, 5e-4, 5e-5, 5e-6])


def test_best_checkpoint(train):
    *_, work_dir = train(recipe('save_best'))
    names = sorted(path.name for path in work_dir.glob('*.pth'))
    assert names[-2:] == ['iter_2.pth', 'iter_4.pth'] and len(names) <= 3


def test_early_stop(train):
    cfg, *_ = train(recipe('early_stop'))
    assert cfg.default_hooks.early_stop.patience == 3
    assert cfg.default_hooks.early_stop.type == 'EarlyStoppingHook'


def test_image_sizes(train):
    cfg, steps, _ = train(recipe('RandomChoiceResize'))
    assert len(steps) == 4
    (resize,) = [t for t in cfg.train_dataloader.dataset.pipeline[0].transforms if 'Resize' in t.type]
    assert len(resize.scales) == 3


def test_epochs(train):
    _, steps, work_dir = train(recipe('EpochBasedTrainLoop'))
    assert {step['epoch'] for step in steps} == {1, 2}
    assert (work_dir / 'epoch_2.pth').exists()


def test_checkpointing(train):
    _, steps, _ = train(recipe('activation_checkpointing'))
    assert len(steps) == 4


def test_frozen_and_averaged(train):
    *_, work_dir = train(recipe('frozen_modules'))
    checkpoint = load_checkpoint_file(work_dir / 'iter_4.pth')
    assert checkpoint['ema_state_dict']
    frozen = [key for key in checkpoint['state_dict'] if key.startswith('detector.backbone.') and 'weight' in key]
    assert frozen
    for key in frozen:  # what does not change equals its average
        assert torch.equal(checkpoint['state_dict'][key], checkpoint['ema_state_dict'][f'module.{key}']), key


def test_channels_last(train):
    cfg, steps, _ = train(recipe('ChannelsLastHook'))
    assert len(steps) == 4 and cfg.custom_hooks[-1].type == 'ChannelsLastHook'


def test_batch_norm_is_merged(train, monkeypatch):
    """Each batch normalization of the backbone; losses are those of the same training without it."""
    layers, forward = set(), efficient_conv_bn_eval.efficient_conv_bn_eval_forward

    def recorded(norm, conv, x):
        layers.add(norm)
        return forward(norm, conv, x)

    monkeypatch.setattr(efficient_conv_bn_eval, 'efficient_conv_bn_eval_forward', recorded)
    norm_eval = 'model = dict(detector=dict(backbone=dict(norm_eval=True)))\n'
    merged = recipe('efficient_conv_bn_eval').text + norm_eval
    cfg, steps, work_dir = train(SimpleNamespace(text=merged))
    shutil.rmtree(work_dir)
    backbone = MODELS.build(dict(cfg.model.detector.backbone, type='mmdet.ResNet'))
    assert len(layers) == sum(isinstance(module, _BatchNorm) for module in backbone.modules()) > 0
    layers.clear()
    _, plain, _ = train(SimpleNamespace(text=re.sub('efficient_conv_bn_eval = .*', '', merged)))
    assert [step['loss'] for step in steps] == pytest.approx([step['loss'] for step in plain], rel=1e-3)
    assert not layers
