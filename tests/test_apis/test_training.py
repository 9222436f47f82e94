# Copyright (c) mmrdn contributors. All rights reserved.
"""However a training ends, what was trained is there; the toy trains ten iterations of two samples."""

import os
import signal
import threading

import pytest
import torch
import torch.distributed as dist
from mmengine.hooks import Hook

from helpers.toy import runner_of, toy_config, toy_runner, validation
from mmrdn.apis import find_resume, train
from mmrdn.engine.distributed.rank_watch import RankWatch
from mmrdn.fileio.checkpoint import load_checkpoint_file
from mmrdn.registry import HOOKS
from mmrdn.utils.interrupts import ENDING, end_as_ctrl_c_does

EPOCHS = dict(
    train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=5),
    train_dataloader=dict(
        batch_size=2, num_workers=0, dataset=dict(type='ToyDataset'), sampler=dict(type='DefaultSampler', shuffle=False)
    ),
    param_scheduler=[dict(type='MultiStepLR', milestones=[2])],
    default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2)),
)


@pytest.fixture(autouse=True)
def handlers():
    """Python's own, also where tests run in the background."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    end_as_ctrl_c_does()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@HOOKS.register_module()
class SignalHook(Hook):
    """Sends this process a signal at an iteration or a frame of a validation."""

    def __init__(self, at, number=signal.SIGINT, times=1, within=True):
        self.at, self.number, self.times, self.within = at, number, times, within

    def _send(self):
        for _ in range(self.times):
            os.kill(os.getpid(), self.number)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not self.within and runner.iter == self.at:
            self._send()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.within and runner.iter == self.at:
            self._send()
            runner.message_hub.update_info('went on', runner.iter)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.at == 'validation' and batch_idx == 3:
            self._send()


def checkpoints(directory):
    return sorted(path.name for path in directory.glob('*.pth'))


def assert_goes_on(directory, start, unbroken, **changes):
    """Automatic resume from an iteration, to the weights of an unbroken training."""
    cfg = toy_config(directory, **changes)
    find_resume(cfg)
    runner = runner_of(cfg)
    starts = []
    runner.register_hook(type('Start', (Hook,), dict(before_train=lambda self, runner: starts.append(runner.iter)))())
    train(runner)
    assert starts == [start]
    whole = toy_runner(unbroken, **changes)
    whole.train()
    for ours, theirs in zip(runner.model.parameters(), whole.model.parameters()):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize('number', ENDING)
@pytest.mark.parametrize('within', [True, False])
def test_a_signal_saves_whole_iterations(number, within, tmp_path):
    """It comes within the fifth iteration, or before it."""
    hooks = [dict(type='SignalHook', at=4, number=int(number), within=within)]
    done = 5 if within else 4
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(toy_runner(tmp_path / 'a', custom_hooks=hooks))
    path = tmp_path / 'a' / f'iter_{done}.pth'
    assert str(interrupt.value) == f'interrupted after iteration {done}: --resume continues from {path}'
    assert path.exists()
    checkpoint = load_checkpoint_file(path)
    assert checkpoint['meta']['iter'] == done
    assert checkpoint['param_schedulers'][0]['_global_step'] == done
    assert all(state['momentum_buffer'].abs().sum() > 0 for state in checkpoint['optimizer']['state'].values())
    assert_goes_on(tmp_path / 'a', done, tmp_path / 'b')


def test_a_second_signal_waits_for_the_checkpoint(tmp_path):
    hooks = [dict(type='SignalHook', at=4, times=3)]
    with pytest.raises(KeyboardInterrupt, match='after iteration 5: '):
        train(toy_runner(tmp_path, custom_hooks=hooks))
    assert 'iter_5.pth' in checkpoints(tmp_path)


def test_a_signal_in_the_validation(tmp_path):
    changes = dict(
        validation(), train_cfg=dict(type='IterBasedTrainLoop', max_iters=10, val_interval=3),
        custom_hooks=[dict(type='SignalHook', at='validation')],
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt, match='after iteration 3: '):
        train(toy_runner(tmp_path, **changes))
    assert load_checkpoint_file(tmp_path / 'iter_3.pth')['meta']['iter'] == 3


def test_a_signal_before_the_first_iteration(tmp_path):
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(toy_runner(tmp_path, custom_hooks=[dict(type='SignalHook', at=0, within=False)]))
    assert str(interrupt.value) == '' and checkpoints(tmp_path) == []


def test_an_interrupt_where_a_checkpoint_is_writes_no_other(tmp_path):
    """The time of its last change stays."""
    hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=5))
    times = []

    @HOOKS.register_module(force=True)
    class Look(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, *args, **kwargs):
            if runner.iter == 4:
                times.append((tmp_path / 'iter_5.pth').stat().st_mtime_ns)

    custom = [dict(type='Look'), dict(type='SignalHook', at=4)]
    with pytest.raises(KeyboardInterrupt, match='continues from .*iter_5.pth'):
        train(toy_runner(tmp_path, default_hooks=hooks, custom_hooks=custom))
    assert times == [(tmp_path / 'iter_5.pth').stat().st_mtime_ns]
    assert checkpoints(tmp_path) == ['iter_5.pth']


def test_an_error_between_iterations_is_saved_too(tmp_path):
    """Sample 6 of the data is drawn in the fourth iteration."""
    loader = dict(batch_size=2, num_workers=0, dataset=dict(type='ToyDataset', bad=6))
    loader['sampler'] = dict(type='SeededInfiniteSampler', shuffle=False)
    with pytest.warns(UserWarning, match='the training ended after iteration 3: --resume continues from .*iter_3.pth'):
        with pytest.raises(OSError, match='sample 6 cannot be read'):
            train(toy_runner(tmp_path, train_dataloader=loader))
    assert load_checkpoint_file(tmp_path / 'iter_3.pth')['meta']['iter'] == 3


def test_a_worker_that_dies_within_an_iteration(tmp_path):
    """As torch says it: by an error wherever the process is."""
    runner = toy_runner(tmp_path, custom_hooks=[dict(type='SignalHook', at=4, number=int(signal.SIGCHLD))])

    def handle(*args):
        if runner.iter >= 4:  # others are of git, which MMEngine asks for its version
            raise RuntimeError('DataLoader worker (pid 1) is killed by signal: Killed.')

    before = signal.signal(signal.SIGCHLD, handle)
    try:
        with pytest.warns(UserWarning, match='the training ended after iteration 5: '):
            with pytest.raises(RuntimeError, match='DataLoader worker'):
                train(runner)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert load_checkpoint_file(tmp_path / 'iter_5.pth')['meta']['iter'] == 5


def test_an_error_within_an_iteration_is_not(tmp_path):
    """Its weights may be neither of this iteration nor of the last."""
    runner = toy_runner(tmp_path)
    step = runner.model.train_step

    def fail(*args, **kwargs):
        if runner.iter == 3:
            raise RuntimeError('out of memory')
        return step(*args, **kwargs)

    runner.model.train_step = fail
    with pytest.raises(RuntimeError, match='out of memory'):
        train(runner)
    assert 'iter_3.pth' not in checkpoints(tmp_path) and 'iter_4.pth' not in checkpoints(tmp_path)
    assert signal.getsignal(signal.SIGINT).__name__ == '_interrupt'  # no longer held


def test_a_full_disk_is_reported(tmp_path, monkeypatch):
    runner = toy_runner(tmp_path, custom_hooks=[dict(type='SignalHook', at=0)])

    def full(*args, **kwargs):
        raise OSError('No space left on device')

    monkeypatch.setattr(runner, 'save_checkpoint', full)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(runner)
    assert str(interrupt.value) == 'interrupted after iteration 1, which cannot be saved: No space left on device'


def test_early_stop(tmp_path):
    """The score does not improve after iteration 3: the end is iteration 6."""
    changes = dict(
        validation(), train_cfg=dict(type='IterBasedTrainLoop', max_iters=10, val_interval=3),
        custom_hooks=[dict(type='EarlyStoppingHook', monitor='toy/acc', patience=1)],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4)),
    )  # fmt: skip
    train(toy_runner(tmp_path, **changes))
    assert checkpoints(tmp_path) == ['iter_4.pth', 'iter_6.pth']
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_6.pth')
    assert load_checkpoint_file(tmp_path / 'iter_6.pth')['meta']['iter'] == 6


def test_early_stop_by_epochs(tmp_path):
    changes = dict(validation(), **EPOCHS, custom_hooks=[dict(type='EarlyStoppingHook', monitor='toy/acc', patience=1)])
    changes['default_hooks'] = dict(checkpoint=dict(type='CheckpointHook', interval=5))
    train(toy_runner(tmp_path, **changes))
    assert checkpoints(tmp_path) == ['epoch_2.pth']
    assert load_checkpoint_file(tmp_path / 'epoch_2.pth')['meta']['epoch'] == 2


@pytest.mark.parametrize(
    'within, done, files', [(True, 9, ['epoch_2.pth', 'interrupted.pth']), (False, 8, ['epoch_2.pth'])]
)
def test_a_signal_by_epochs(within, done, files, tmp_path):
    """Epochs of four iterations: no training can continue within one."""
    hooks = [dict(type='SignalHook', at=8, within=within)]
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(toy_runner(tmp_path / 'a', **EPOCHS, custom_hooks=hooks))
    text = str(interrupt.value)
    assert checkpoints(tmp_path / 'a') == files
    if within:
        assert text == (
            f'interrupted after iteration 9, within epoch 3: its weights are in {tmp_path}/a/interrupted.pth, '
            '--resume repeats the epoch'
        )
        assert load_checkpoint_file(tmp_path / 'a' / 'interrupted.pth')['meta']['iter'] == 9
    assert_goes_on(tmp_path / 'a', 8, tmp_path / 'b', **EPOCHS)


def test_a_signal_to_another_rank_reaches_the_first(tmp_path, monkeypatch):
    """It ends no rank but the first, which saves."""
    store = dist.HashStore()
    watches = [RankWatch(store, rank, 2, interval=0.02) for rank in range(2)]
    for watch in watches:
        watch.start()
    monkeypatch.setattr(RankWatch, 'current', watches[1])
    runner = toy_runner(tmp_path / 'a', custom_hooks=[dict(type='SignalHook', at=4)])
    monkeypatch.setattr(type(runner), 'rank', 1)
    heard = threading.Event()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *args: heard.set())
    try:
        with pytest.raises(KeyboardInterrupt):  # once it is done
            train(runner)
        assert runner.message_hub.get_info('went on') == 4 and runner.iter == 10
        for _ in range(500):
            if heard.wait(0.01):
                break
        assert heard.is_set()
    finally:
        for watch in watches:
            watch._done.set()
