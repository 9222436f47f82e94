# Copyright (c) mmrdn contributors. All rights reserved.
"""Best checkpoints, early stop, memory and backends, in trainings whose scores are known."""

import json
import resource
import sys
import types

import pytest
import torch
from mmengine.config import Config

from helpers.tools import ROOT
from helpers.toy import toy_runner, validation
from mmrdn.apis import find_resume, train
from mmrdn.engine import EarlyStoppingHook
from mmrdn.fileio.checkpoint import load_checkpoint_file

RUNTIME = Config.fromfile(ROOT / 'configs' / '_base_' / 'default_runtime.py')


def scored(scores, max_iters=12, **hooks):
    """Changes for a training of that many iterations that validates every second one, with the hooks of our configs."""
    defaults = json.loads(json.dumps(RUNTIME.default_hooks.to_dict()))
    defaults['checkpoint'].update(save_best='toy/acc', interval=2)
    defaults['early_stop']['monitor'] = 'toy/acc'
    for name, changes in hooks.items():
        defaults[name].update(changes)
    changes = dict(validation(), val_evaluator=dict(type='ToyMetric', scores=scores), default_hooks=defaults)
    changes['train_cfg'] = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2)
    return changes


def checkpoints(directory):
    return sorted(path.name for path in directory.glob('*.pth'))


def test_the_checkpoint_with_the_best_score_stays(tmp_path):
    """The second and the fourth are better than all before them."""
    train(toy_runner(tmp_path, **scored([0.1, 0.4, 0.3, 0.6, 0.2, 0.6])))
    names = [name for name in checkpoints(tmp_path) if name.startswith('best')]
    assert names == ['best_toy_acc_iter_8.pth'] and len(checkpoints(tmp_path)) == 7  # no early stop
    best, eighth, last = (load_checkpoint_file(tmp_path / f'{n}.pth') for n in (names[0][:-4], 'iter_8', 'iter_12'))
    assert torch.equal(best['state_dict']['fc.weight'], eighth['state_dict']['fc.weight'])
    assert not torch.equal(best['state_dict']['fc.weight'], last['state_dict']['fc.weight'])
    assert 'optimizer' not in best


def test_a_score_that_is_not_there_ends_no_training(tmp_path):
    """MMEngine's hook raises a KeyError at the first validation."""
    runner = toy_runner(tmp_path, **scored([], 4, checkpoint=dict(save_best='vid/mAP50')))
    said = []
    runner.logger.warning = said.append
    train(runner)
    assert [line for line in said if 'seed' not in line] == [
        'no best checkpoint: the validation does not give vid/mAP50; let default_hooks.checkpoint.save_best name a '
        'score that it gives: toy/acc'
    ] * 2
    assert checkpoints(tmp_path) == ['iter_2.pth', 'iter_4.pth']


@pytest.mark.parametrize(
    'scores, end',
    [
        ([0.1, 0.5, 0.49, 0.4, 0.6], 8),
        ([0.1, 0.5, 0.49, 0.501, 0.4, 0.5], 12),
        ([0.0, 0.0, 0.0, 0.0, 0.001, 0.0], 12),  # one that has found nothing yet goes on
    ],
)
def test_a_training_ends_after_two_validations_that_are_worse(scores, end, tmp_path):
    runner = toy_runner(tmp_path, **scored(scores, early_stop=dict(patience=2)))
    train(runner)
    assert runner.iter == end and (tmp_path / 'last_checkpoint').read_text().endswith(f'iter_{end}.pth')


def test_validations_before_a_resume_count(tmp_path):
    """Iterations 2 to 4 give 0.5 and 0.3; after them 0.4 is the second that is worse than 0.5."""
    changes = scored([0.5, 0.3], 5, early_stop=dict(patience=2))
    train(toy_runner(tmp_path, **changes, param_scheduler=None))
    changes = scored([0.4, 0.4, 0.4], early_stop=dict(patience=2))
    runner = toy_runner(tmp_path, **changes, param_scheduler=None, resume=True)
    find_resume(runner.cfg)
    assert runner.cfg.load_from.endswith('iter_5.pth')
    runner._load_from = runner.cfg.load_from
    with pytest.warns(UserWarning, match='max_iters was 5, is 12'):
        train(runner)
    assert runner.iter == 6


def test_a_test_does_not_build_the_data_of_the_training(tmp_path):
    """Which may not be there; MMEngine's hook does."""
    changes = scored([0.25], early_stop=dict(patience=2))
    loader = changes['val_dataloader']
    changes.update(test_cfg=dict(), test_dataloader=loader, test_evaluator=changes['val_evaluator'])
    runner = toy_runner(tmp_path, **changes, train_dataloader=dict(dataset=dict(type='Absent')))
    assert runner.test() == {'toy/acc': 0.25}


def test_no_patience_is_reported():
    for patience in (0, -1, 'x'):
        with pytest.raises(ValueError, match=f'early stop: patience must be 1 or more, or None .*, got {patience}'):
            EarlyStoppingHook('toy/acc', patience=patience)


def logged(directory):
    (path,) = directory.glob('2*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.skipif(torch.cuda.is_available(), reason='memory is that of the GPU')
def test_memory_and_time_left_are_logged(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    changes = dict(log_level='INFO', log_processor=RUNTIME.log_processor.to_dict())
    train(toy_runner(tmp_path, **changes, max_iters=3))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    memory = [record['memory'] for record in logged(tmp_path)]
    assert len(memory) == 3 and before <= memory[0] <= memory[-1] <= after
    (path,) = tmp_path.glob('2*/2*.log')
    lines = [line for line in path.read_text().splitlines() if 'Iter(train)' in line]
    assert len(lines) == 3 and all(' eta: 0:00:0' in line for line in lines)
    assert lines[-1].endswith(f'  memory: {memory[-1]}')


def test_backends_by_name_get_the_scores_of_the_local_one(tmp_path, monkeypatch):
    """As --cfg-options visualizer.vis_backends=[...] gives names."""
    written = []

    class Writer:
        def __init__(self, directory):
            self.directory = directory

        def add_text(self, *args):
            pass

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            pass

    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', types.SimpleNamespace(SummaryWriter=Writer))
    visualizer = dict(RUNTIME.visualizer.to_dict(), vis_backends=['LocalVisBackend', 'TensorboardVisBackend'])
    train(toy_runner(tmp_path, **scored([0.1, 0.4], 4, logger=dict(interval=1)), visualizer=visualizer))
    expected = [(name, value, record['step']) for record in logged(tmp_path) for name, value in record.items()]
    assert written == [entry for entry in expected if entry[0] != 'step']
    assert [entry for entry in written if entry[0] == 'toy/acc'] == [('toy/acc', 0.1, 2), ('toy/acc', 0.4, 4)]


@pytest.mark.parametrize(
    'backends, module, package',
    [
        ('TensorboardVisBackend', 'torch.utils.tensorboard', 'tensorboard'),
        (['LocalVisBackend', dict(type='WandbVisBackend', init_kwargs=dict(project='mine'))], 'wandb', 'wandb'),
    ],
)
def test_packages_of_backends_that_are_missing_are_named(backends, module, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    visualizer = dict(RUNTIME.visualizer.to_dict(), vis_backends=backends)
    with pytest.raises(ImportError, match=f'"pip install [a-z ]*{package}"'):
        toy_runner(tmp_path, visualizer=visualizer)
