# Copyright (c) mmrdn contributors. All rights reserved.
"""Validations are logged at the step to which the training had come."""

import json

import pytest

from helpers.toy import toy_runner, validation
from mmrdn.apis import train

EPOCHS = dict(
    train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1),
    train_dataloader=dict(batch_size=2, dataset=dict(type='ToyDataset'), sampler=dict(type='DefaultSampler')),
    param_scheduler=None,
)


def scores(path):
    lines = map(json.loads, path.read_text().splitlines())
    return [(line['step'], line['toy/acc']) for line in lines if 'toy/acc' in line]


@pytest.mark.parametrize(
    'changes, steps',
    [(dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=7, val_interval=3)), [3, 6, 7]), (EPOCHS, [1, 2])],
)
def test_validations_are_logged_at_their_step(changes, steps, tmp_path):
    """In both JSON files."""
    train(toy_runner(tmp_path, **validation(), **changes))
    expected = [(step, 0.5) for step in steps]
    (directory,) = tmp_path.glob('2*/vis_data')
    assert scores(directory / 'scalars.json') == expected
    assert scores(next(directory.glob('2*.json'))) == expected


def test_every_backend_gets_the_same_steps(tmp_path, monkeypatch):
    """TensorBoard among them: each gets what the visualizer gets."""
    train_cfg = dict(type='IterBasedTrainLoop', max_iters=7, val_interval=3)
    runner = toy_runner(tmp_path, **validation(), train_cfg=train_cfg)
    steps = []
    monkeypatch.setattr(
        runner.visualizer,
        'add_scalars',
        lambda values, step=0, **kwargs: steps.append(step) if 'toy/acc' in values else None,
    )
    train(runner)
    assert steps == [3, 6, 7]
