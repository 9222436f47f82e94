# Copyright (c) mmrdn contributors. All rights reserved.
"""Pretrained weights of a part are fetched only if no checkpoint replaces them."""

import pytest
import torch
from mmengine.model import BaseModel, BaseModule, Sequential
from torch import nn

from helpers.toy import runner_of, toy_config
from mmrdn.apis import find_resume, train
from mmrdn.engine.hooks import checkpoint_guard_hook
from mmrdn.fileio import checkpoint
from mmrdn.registry import MODELS

STILL = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.0))


class Backbone(BaseModule):
    """A linear layer."""

    def __init__(self, init_cfg):
        super().__init__(init_cfg)
        self.fc = nn.Linear(2, 2)


@MODELS.register_module()
class PretrainedToyModel(BaseModel):
    """A backbone with pretrained weights, and a head."""

    def __init__(self, init_cfg, data_preprocessor=None):
        super().__init__()
        self.backbone = Backbone(init_cfg)
        self.head = nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        """Give a loss."""
        return dict(loss=self.head(self.backbone.fc(torch.stack(list(inputs)))).square().mean())


@MODELS.register_module()
class NestedToyModel(PretrainedToyModel):
    """A backbone whose layer has pretrained weights too."""

    def __init__(self, init_cfg, inner, data_preprocessor=None):
        super().__init__(init_cfg)
        self.backbone.fc = Sequential(nn.Linear(2, 2), init_cfg=inner)


def weights(value, *parts):
    """Tensors of the model or of parts of it, all of one value."""
    full = {'backbone.fc.weight': (2, 2), 'backbone.fc.bias': (2,), 'head.weight': (1, 2), 'head.bias': (1,)}
    return {key: torch.full(shape, value) for key, shape in full.items() if key.startswith(parts or ('',))}


def save_pretrained(path, value=3.0):
    """A file of the backbone's weights."""
    torch.save({'fc.weight': torch.full((2, 2), value), 'fc.bias': torch.full((2,), value)}, path)


def train_toy(work_dir, pretrained, resume=None, max_iters=2, **changes):
    """Train; return the weights."""
    init_cfg = pretrained if isinstance(pretrained, list) else dict(type='Pretrained', checkpoint=str(pretrained))
    cfg = toy_config(
        work_dir, max_iters, model=dict(type='PretrainedToyModel', init_cfg=init_cfg), param_scheduler=None, **changes
    )
    if resume is not None:
        find_resume(cfg, str(resume))
    runner = runner_of(cfg, partial_checkpoint=resume is None)
    train(runner)
    return runner.model.state_dict()


def assert_equal(given, wanted):
    for key, value in wanted.items():
        assert torch.equal(given[key], value), key


def test_a_training_without_checkpoint_reads_pretrained_weights(tmp_path):
    save_pretrained(tmp_path / 'backbone.pth')
    assert_equal(train_toy(tmp_path / 'a', tmp_path / 'backbone.pth', optim_wrapper=STILL), weights(3.0, 'backbone'))
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        train_toy(tmp_path / 'b', tmp_path / 'nowhere.pth')


def test_a_resumed_training_needs_no_pretrained_weights(tmp_path):
    """It ends with the weights of an unbroken one, although the file is gone."""
    pretrained = tmp_path / 'backbone.pth'
    save_pretrained(pretrained, 0.5)
    unbroken = train_toy(tmp_path / 'a', pretrained, max_iters=6)
    train_toy(tmp_path / 'b', pretrained, max_iters=3)
    pretrained.unlink()
    assert_equal(train_toy(tmp_path / 'b', pretrained, tmp_path / 'b/iter_3.pth', max_iters=6), unbroken)


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('is_list', [False, True])
def test_a_checkpoint_of_the_whole_model_replaces_pretrained_weights(prefix, is_list, tmp_path):
    torch.save(dict(state_dict={prefix + key: value for key, value in weights(7.0).items()}), tmp_path / 'whole.pth')
    init_cfg = tmp_path / 'nowhere.pth'
    if is_list:
        init_cfg = [dict(type='Normal', layer='Linear'), dict(type='Pretrained', checkpoint=str(init_cfg))]
    given = train_toy(tmp_path / 'a', init_cfg, load_from=str(tmp_path / 'whole.pth'), optim_wrapper=STILL)
    assert_equal(given, weights(7.0))


@pytest.mark.parametrize('missing', [['backbone.fc.weight', 'backbone.fc.bias'], ['backbone.fc.bias']])
def test_pretrained_weights_fill_what_the_checkpoint_lacks(missing, tmp_path):
    state = {key: value for key, value in weights(7.0).items() if key not in missing}
    torch.save(dict(state_dict=state), tmp_path / 'part.pth')
    save_pretrained(tmp_path / 'backbone.pth')
    changes = dict(load_from=str(tmp_path / 'part.pth'), optim_wrapper=STILL)
    given = train_toy(tmp_path / 'a', tmp_path / 'backbone.pth', **changes)
    assert_equal(given, state | {key: value for key, value in weights(3.0).items() if key in missing})
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        train_toy(tmp_path / 'b', tmp_path / 'nowhere.pth', **changes)


def test_entries_of_another_shape_replace_no_pretrained_weights(tmp_path):
    torch.save(dict(state_dict=weights(7.0) | {'backbone.fc.bias': torch.ones(3)}), tmp_path / 'other.pth')
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        train_toy(tmp_path / 'a', tmp_path / 'nowhere.pth', load_from=str(tmp_path / 'other.pth'))


def test_each_file_is_read_once(tmp_path, monkeypatch):
    read, load = [], checkpoint.load_checkpoint_file

    def recorded(filename, *args):
        read.append(filename)
        return load(filename, *args)

    monkeypatch.setattr(checkpoint, 'load_checkpoint_file', recorded)
    part, pretrained = tmp_path / 'part.pth', tmp_path / 'backbone.pth'
    torch.save(dict(state_dict=weights(7.0, 'head')), part)
    save_pretrained(pretrained)
    train_toy(tmp_path / 'a', pretrained, load_from=str(part))
    assert read == [str(part), str(pretrained)]


def test_weights_of_an_outer_part_replace_those_of_an_inner_one(tmp_path):
    """As they do in MMEngine, where no checkpoint is loaded."""
    files = dict(inner={'0.weight': 1.0}, outer={'fc.0.weight': 2.0}, part={'head.weight': 7.0})
    cfgs = {}
    for name, values in files.items():
        state = {key: torch.full((1 if name == 'part' else 2, 2), value) for key, value in values.items()}
        torch.save(state, tmp_path / f'{name}.pth')
        cfgs[name] = dict(type='Pretrained', checkpoint=str(tmp_path / f'{name}.pth'))
    model = dict(type='NestedToyModel', init_cfg=cfgs['outer'], inner=cfgs['inner'])
    for load_from in (None, str(tmp_path / 'part.pth')):
        cfg = toy_config(
            tmp_path / str(bool(load_from)),
            1,
            model=model,
            optim_wrapper=STILL,
            param_scheduler=None,
            load_from=load_from,
        )
        runner = runner_of(cfg, partial_checkpoint=True)
        train(runner)
        assert torch.equal(runner.model.backbone.fc[0].weight, torch.full((2, 2), 2.0))


def test_a_checkpoint_that_was_loaded_before_the_training_is_not_waited_for(tmp_path):
    save_pretrained(tmp_path / 'backbone.pth')
    torch.save(dict(state_dict=weights(7.0, 'head')), tmp_path / 'part.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth'))
    model = dict(type='PretrainedToyModel', init_cfg=init_cfg)
    changes = dict(optim_wrapper=STILL, param_scheduler=None, load_from=str(tmp_path / 'part.pth'))
    runner = runner_of(toy_config(tmp_path / 'a', 1, model=model, **changes), partial_checkpoint=True)
    runner.load_checkpoint(str(tmp_path / 'part.pth'))
    train(runner)
    assert_equal(runner.model.state_dict(), weights(3.0, 'backbone') | weights(7.0, 'head'))


def test_all_ranks_get_the_weights_of_the_first(tmp_path, monkeypatch):
    """They are loaded after MMEngine has sent the others."""
    monkeypatch.setattr(checkpoint_guard_hook, 'broadcast', lambda value: value.fill_(5.0))
    save_pretrained(tmp_path / 'backbone.pth')
    torch.save(dict(state_dict=weights(7.0, 'head')), tmp_path / 'part.pth')
    changes = dict(load_from=str(tmp_path / 'part.pth'), optim_wrapper=STILL)
    given = train_toy(tmp_path / 'a', tmp_path / 'backbone.pth', **changes)
    assert_equal(given, weights(5.0, 'backbone') | weights(7.0, 'head'))
