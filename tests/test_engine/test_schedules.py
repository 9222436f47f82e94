# Copyright (c) mmrdn contributors. All rights reserved.
"""Schedules that do not fit the training are refused; those that a resumed training changes are named."""

import warnings

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.runner import ValLoop
from torch.utils.data import BatchSampler

from helpers.toy import runner_of, toy_config, toy_runner, validation
from mmrdn.apis import train
from mmrdn.fileio.checkpoint import load_checkpoint_file

FITS = 'leave it out, or change one of them'
LINEAR = dict(type='LinearLR', start_factor=0.1, by_epoch=False)
RESTARTS = dict(type='CosineRestartLR', restart_weights=[1, 1], eta_min=0)
SAMPLER = dict(type='DefaultSampler', shuffle=False)


def loader(**changes):
    return dict(batch_size=2, num_workers=0, dataset=dict(type='ToyDataset'), sampler=SAMPLER) | changes


@pytest.mark.parametrize(
    'scheduler, field',
    [
        (dict(type='OneCycleLR', eta_max=1.0, total_steps=9), 'total_steps (OneCycleLR) is 9'),
        (dict(type='OneCycleLR', eta_max=1.0, total_steps=11), 'total_steps (OneCycleLR) is 11'),
        (dict(type='OneCycleLR', eta_max=1.0, total_steps=10, begin=2), 'total_steps (OneCycleLR) is 10'),
        (dict(type='LinearLR', start_factor=0.1, end=500), 'end (LinearLR) is 500'),
        (dict(type='ConstantLR', factor=0.1, end=11), 'end (ConstantLR) is 11'),
        (dict(type='LinearLR', start_factor=0.1, end=10**9), 'end (LinearLR) is 1000000000'),
        (dict(type='MultiStepLR', milestones=[4, 11]), 'milestones (MultiStepLR) is [4, 11]'),
        (dict(type='MultiStepLR', milestones=[5], begin=6), 'milestones (MultiStepLR) is [5]'),
        (dict(type='MultiStepLR', milestones=[6], end=6), 'milestones (MultiStepLR) is [6]'),
        (dict(type='StepLR', step_size=10000), 'step_size (StepLR) is 10000'),
        (dict(type='StepLR', step_size=5, begin=6), 'step_size (StepLR) is 5'),
        (dict(type='StepLR', step_size=6, end=6), 'step_size (StepLR) is 6'),
        (dict(type='MultiStepLR', milestones=[4], end=12), 'end (MultiStepLR) is 12'),
        (dict(type='StepLR', step_size=2, begin=10, end=20), 'begin (StepLR) is 10'),
        (dict(type='CosineAnnealingLR', T_max=12), 'T_max (CosineAnnealingLR) is 12'),
        (dict(type='CosineAnnealingLR', T_max=5), 'T_max (CosineAnnealingLR) is 5'),
        (
            dict(type='CosineRestartLR', periods=[5, 6], restart_weights=[1, 1], eta_min=0),
            'periods (CosineRestartLR) is [5, 6]',
        ),
    ],
)
def test_schedules_of_another_length_are_refused(scheduler, field, tmp_path):
    """Ten iterations; before the first of them."""
    runner = toy_runner(tmp_path, param_scheduler=[LINEAR, dict(scheduler, by_epoch=False)])
    with pytest.raises(ValueError) as error:
        train(runner)
    assert str(error.value) == f'param_scheduler.1.{field}, but the training has 10 iterations (train_cfg): {FITS}'
    assert runner.iter == 0


@pytest.mark.parametrize(
    'schedulers',
    [
        None,
        [dict(type='OneCycleLR', eta_max=1.0, total_steps=10)],
        [dict(type='OneCycleLR', eta_max=1.0, total_steps=8, end=8)],
        [dict(type='LinearLR', start_factor=0.1, end=3), dict(type='CosineAnnealingLR', begin=3, T_max=7, end=10)],
        [
            dict(type='LinearLR', start_factor=0.1, end=3),
            dict(type='CosineAnnealingLR', begin=3, T_max=10),
        ],  # mmdet's YOLOX
        [dict(type='MultiStepLR', milestones=[4, 9]), dict(type='StepLR', step_size=3, end=10**9)],
        [dict(type='MultiStepLR', milestones=[4, 10]), dict(type='StepLR', step_size=10)],
        [dict(RESTARTS, periods=[5, 5])],
        [dict(type='LinearLR', start_factor=0.1)],
    ],
)
def test_schedules_that_fit_train_to_the_end(schedulers, tmp_path):
    if schedulers is not None:
        schedulers = [dict(scheduler, by_epoch=False) for scheduler in schedulers]
    runner = toy_runner(tmp_path, param_scheduler=schedulers)
    train(runner)
    assert runner.iter == 10


NO_LENGTH = (
    'its first phase has no length, because pct_start times the number of steps is 1: '
    'change pct_start, or the length of the training (train_cfg)'
)


@pytest.mark.parametrize('three_phase', [False, True])
@pytest.mark.parametrize('begin', [0, 4])
@pytest.mark.parametrize('steps, share', [(5, 0.2), (4, 0.25), (2, 0.5), (1, 1.0)])
def test_one_cycle_whose_first_phase_has_no_length_is_refused(steps, share, begin, three_phase, tmp_path):
    """One step of a cycle of 5, 4, 2 or 1 steps: the rise takes 0 of them."""
    scheduler = dict(type='OneCycleLR', eta_max=1.0, pct_start=share, three_phase=three_phase, begin=begin)
    runner = toy_runner(tmp_path, begin + steps, param_scheduler=[dict(scheduler, by_epoch=False)])
    with pytest.raises(ValueError) as error:
        train(runner)
    assert str(error.value) == f'param_scheduler.0 (OneCycleLR): {NO_LENGTH}'
    assert runner.iter == 0


@pytest.mark.parametrize('three_phase', [False, True])
@pytest.mark.parametrize('steps, share', [(4, 0.2), (6, 0.2), (1, 0.5), (3, 0.5), (2, 1.0), (1, 0.0)])
def test_other_cycles_train_to_their_end(steps, share, three_phase, tmp_path):
    scheduler = dict(type='OneCycleLR', eta_max=1.0, pct_start=share, three_phase=three_phase, by_epoch=False)
    runner = toy_runner(tmp_path, steps, param_scheduler=[scheduler])
    train(runner)
    assert runner.iter == steps


@pytest.mark.parametrize(
    'scheduler, reason',
    [
        (dict(type='LinearLR', start_factor=0.0), 'start_factor is 0, expected another number'),
        (dict(type='LinearLR', start_factor=0.0, begin=3, end=5), 'start_factor is 0, expected another number'),
        (dict(type='ConstantLR', factor=0.0, end=3), 'factor is 0, expected another number'),
        (dict(type='StepLR', step_size=0), 'step_size is 0, expected another number'),
        (dict(type='OneCycleLR', eta_max=1.0, div_factor=0), 'div_factor is 0, expected another number'),
        (dict(type='OneCycleLR', eta_max=1.0, final_div_factor=0), 'final_div_factor is 0, expected another number'),
        (dict(type='PolyLR', power=-1.0), 'power is -1.0, expected a positive number'),
        (dict(type='LinearLR', begin=3, end=3), 'end should be larger than begin, but got begin=3, end=3'),
    ],
)
def test_schedulers_that_divide_by_zero_are_refused(scheduler, reason, tmp_path):
    """At the first step, the second or the last, where MMEngine does; before the first iteration."""
    schedulers = [LINEAR, dict(scheduler, by_epoch=False)]
    runner = toy_runner(tmp_path, param_scheduler=schedulers)
    with pytest.raises(ValueError) as error:
        train(runner)
    assert str(error.value).startswith(f'param_scheduler.1 ({scheduler["type"]}): {reason}')
    assert runner.iter == 0


@pytest.mark.parametrize(
    'scheduler', [dict(type='LinearLR', start_factor=0.0, end=1), dict(type='ConstantLR', factor=0.0, end=1)]
)
def test_a_division_by_zero_that_is_never_reached_is_allowed(scheduler, tmp_path):
    """One step, in which no value is divided."""
    runner = toy_runner(tmp_path, param_scheduler=[dict(scheduler, by_epoch=False)])
    train(runner)
    assert runner.iter == 10


def test_schedules_in_epochs(tmp_path):
    """Five epochs of four iterations."""
    epochs = dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=5), train_dataloader=loader())
    fits = [dict(LINEAR, end=20), dict(type='MultiStepLR', milestones=[2, 4])]
    train(toy_runner(tmp_path / 'a', **epochs, param_scheduler=fits))
    for bad, message in (
        ([dict(LINEAR, end=21)], 'param_scheduler.0.end (LinearLR) is 21, but the training has 20 iterations'),
        ([dict(type='MultiStepLR', milestones=[3, 6])], r'milestones \(MultiStepLR\) is \[3, 6\], but .* has 5 epochs'),
        (
            [dict(type='OneCycleLR', eta_max=1.0, total_steps=4, convert_to_iter_based=True)],
            r'total_steps \(OneCycleLR\) is 16, but the training has 20 iterations',
        ),
    ):
        with pytest.raises(ValueError, match=message.replace('(LinearLR)', r'\(LinearLR\)')):
            train(toy_runner(tmp_path / 'b', **epochs, param_scheduler=bad))


def test_epochs_are_not_counted_in_a_training_by_iterations(tmp_path):
    """MMEngine's default: the warm-up would never end."""
    with pytest.raises(ValueError) as error:
        train(toy_runner(tmp_path, param_scheduler=[dict(type='LinearLR', start_factor=0.1, end=1)]))
    assert str(error.value) == (
        'param_scheduler.0 (LinearLR) counts epochs, but train_cfg counts iterations: set by_epoch=False'
    )
    train(toy_runner(tmp_path, param_scheduler=[dict(type='ReduceOnPlateauLR', monitor='toy/acc')]))


@pytest.mark.parametrize('kind', ['InfiniteSampler', 'SeededInfiniteSampler'])
@pytest.mark.parametrize('batches', [False, True])
def test_epochs_of_an_infinite_sampler_are_refused(kind, batches, tmp_path):
    data = loader(sampler=dict(type=kind))
    if batches:
        data['batch_sampler'] = dict(type=BatchSampler, drop_last=False)
    epochs = dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1), train_dataloader=data)
    with pytest.raises(ValueError, match=f'train_cfg counts epochs, but {kind}, .* never ends: set sampler='):
        train(toy_runner(tmp_path, **epochs, param_scheduler=None))


def test_epochs_of_any_other_endless_sampler_are_refused(tmp_path, monkeypatch):
    """Known by its first batch too many."""
    iterate = DefaultSampler.__iter__

    def endless(self):
        while True:
            yield from iterate(self)

    monkeypatch.setattr(DefaultSampler, '__iter__', endless)
    epochs = dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1), train_dataloader=loader())
    runner = toy_runner(tmp_path, **epochs, param_scheduler=None)
    with pytest.raises(ValueError, match='DefaultSampler, the sampler of train_dataloader, never ends'):
        train(runner)
    assert runner.iter == 4


EPOCHS = dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2), train_dataloader=loader(), param_scheduler=None)


@pytest.mark.parametrize(
    'times, changes, problem',
    [
        (dict(val_begin=11), {}, 'val_begin is 11, but the training has 10 iterations: it never validates'),
        (dict(val_interval=11), {}, 'val_interval is 11, but the training has 10 iterations: it validates at its end '),
        (dict(val_begin=3), EPOCHS, 'val_begin is 3, but the training has 2 epochs: it never validates'),
        (dict(val_interval=3), EPOCHS, 'val_interval is 3, but the training has 2 epochs: it validates at its end '),
        (dict(val_begin=10, val_interval=10), {}, None),
        (dict(val_interval=1000, dynamic_intervals=[(4, 2)]), {}, None),
        (dict(val_begin=2, val_interval=2), EPOCHS, None),
    ],
)
def test_validations_that_never_come_are_named(times, changes, problem, tmp_path, monkeypatch):
    """And how many there are."""
    cfg = toy_config(tmp_path, **dict(validation(), **changes))
    cfg.train_cfg.update(times)
    runner = runner_of(cfg)
    lines, runs = [], []
    monkeypatch.setattr(runner.logger, 'warning', lambda text, *args: lines.append(text))
    monkeypatch.setattr(ValLoop, 'run', lambda loop: runs.append(runner.iter))
    train(runner)
    found = [line for line in lines if line.startswith('train_cfg.')]
    assert len(found) == (problem is not None) and all(line[10:].startswith(problem) for line in found)
    if problem:
        assert len(runs) == ('end' in problem)
    else:
        assert runs


STEPS = [dict(type='MultiStepLR', by_epoch=False, milestones=[3, 7])]


@pytest.fixture
def half(tmp_path):
    """A checkpoint of iteration 5 of 10."""
    hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=5))
    train(toy_runner(tmp_path / 'whole', default_hooks=hooks, param_scheduler=STEPS))
    return tmp_path / 'whole' / 'iter_5.pth'


def resumed(half, tmp_path, *args, **changes):
    cfg = toy_config(tmp_path / 'resumed', *args, **(dict(param_scheduler=STEPS) | changes))
    cfg.resume, cfg.load_from = True, str(half)
    runner = runner_of(cfg)
    train(runner)
    return runner


def test_an_unchanged_schedule_is_resumed_without_a_warning(half, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        runner = resumed(half, tmp_path)
    assert runner.iter == 10


@pytest.mark.parametrize(
    'changes, named',
    [
        (
            dict(max_iters=12),
            'train_cfg.max_iters was 10, is 12; param_scheduler.0.end stays 10, not 12 as in the config',
        ),
        (dict(max_iters=8), 'train_cfg.max_iters was 10, is 8; param_scheduler.0.end stays 10, not 8 as in the config'),
        (
            dict(param_scheduler=[dict(STEPS[0], milestones=[6], gamma=0.5)]),
            'param_scheduler.0.milestones stays [3, 7], not [6] as in the config; '
            'param_scheduler.0.gamma stays 0.1, not 0.5 as in the config',
        ),
        (
            dict(optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.2, momentum=0.8))),
            'optimizer.momentum stays 0.9, not 0.8 as in the config; '
            'optimizer.initial_lr stays 0.1, not 0.2 as in the config',
        ),
    ],
)
def test_a_resumed_training_keeps_its_schedule_and_names_changes(changes, named, half, tmp_path):
    with pytest.warns(UserWarning) as caught:
        runner = resumed(half, tmp_path, **changes)
    said = [str(warning.message) for warning in caught if 'schedule' in str(warning.message)]
    assert said == [f'{half} is of another schedule: {named}']
    # lr 0.1, tenfold smaller after the third and the seventh iteration: the checkpoint's.
    assert runner.optim_wrapper.param_groups[0]['lr'] == pytest.approx(0.001)
    assert runner.optim_wrapper.param_groups[0]['momentum'] == 0.9


def test_a_schedule_longer_than_the_training_is_not_resumed(half, tmp_path):
    with pytest.raises(ValueError) as error:
        resumed(half, tmp_path, 6, param_scheduler=[dict(STEPS[0], milestones=[3])])
    assert str(error.value) == (
        f'{half}: param_scheduler.0.milestones (MultiStepLR) is [3, 7], but the training has 6 iterations (train_cfg): '
        'change train_cfg, or start from it with --cfg-options load_from'
    )


@pytest.mark.parametrize('part', ['optimizer', 'param_schedulers'])
def test_a_checkpoint_without_schedule_is_not_resumed(part, half, tmp_path):
    checkpoint = load_checkpoint_file(half)
    del checkpoint[part]
    torch.save(checkpoint, half)
    with pytest.raises(ValueError, match=f'the checkpoint holds no {part}, as the best ones of a training do not'):
        resumed(half, tmp_path)


@pytest.mark.parametrize(
    'settings, files',
    [
        (dict(by_epoch=False, interval=10000), [2, 4, 6, 8, 10]),
        (dict(by_epoch=False, interval=10), [10]),
        (dict(by_epoch=False, interval=-1), [10]),
        (dict(interval=1), [2, 4, 6, 8, 10]),  # epochs, MMEngine's default
    ],
)
def test_the_interval_of_checkpoints_fits_the_training(settings, files, tmp_path):
    train(toy_runner(tmp_path, default_hooks=dict(checkpoint=dict(type='CheckpointHook', **settings))))
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == sorted(f'iter_{i}.pth' for i in files)


def test_an_interval_that_does_not_fit_is_logged(tmp_path):
    train(toy_runner(tmp_path, 7, log_level='INFO'))
    log = next(tmp_path.glob('2*/*.log')).read_text()
    assert (
        'The checkpoint hook saves every 1 iterations: its interval of 10000 iterations does not fit '
        'a training of 7 iterations' in log
    )


def test_an_interval_of_epochs(tmp_path):
    epochs = dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=10), train_dataloader=loader())
    hooks = dict(checkpoint=dict(type='CheckpointHook', interval=12))
    train(toy_runner(tmp_path, **epochs, default_hooks=hooks, param_scheduler=None))
    assert {path.name for path in tmp_path.glob('*.pth')} == {f'epoch_{i}.pth' for i in (2, 4, 6, 8, 10)}
