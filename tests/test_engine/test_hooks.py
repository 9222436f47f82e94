# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import glob
import os
import random
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmtrack.engine.hooks import TrackVisualizationHook

from helpers.tools import ROOT
from mmrdn.engine import ChannelsLastHook, FiniteLossHook, IterSeedHook, LateVisualizationHook, ReportProgressHook


def draws(seed, rank, iteration):
    """Draws of an iteration, after whatever went before."""
    torch.rand(random.randrange(9) + 1)
    runner = SimpleNamespace(seed=seed, rank=rank, iter=iteration)
    IterSeedHook().before_train_iter(runner, iteration)
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_an_iteration_draws_what_it_always_draws():
    places = [(s, r, i) for s in (0, 1) for r in (0, 1) for i in (0, 1, 2)]
    first = [draws(*place) for place in places]
    assert [draws(*place) for place in reversed(places)] == first[::-1]
    # Nothing repeats between seeds, ranks, iterations or generators.
    assert len({value for values in first for value in values}) == 3 * 12


def runner_at(iteration, max_iters=100):
    return SimpleNamespace(iter=iteration, max_iters=max_iters, train_loop=SimpleNamespace(max_iters=max_iters))


@pytest.mark.parametrize(
    'iteration, interval, checked', [(9, 10, True), (8, 10, False), (99, 1000, True), (0, 1, True)]
)
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_losses_must_be_finite(iteration, interval, checked, value):
    hook = FiniteLossHook(interval)
    good, bad = torch.tensor(0.5), torch.tensor(value)
    hook.after_train_iter(runner_at(iteration), iteration, outputs={'a': good})
    outputs = dict(loss=bad, loss_cls=bad, loss_bbox=good, acc=[good])
    if checked:
        with pytest.raises(ValueError, match=f'iteration {iteration + 1}: loss, loss_cls became'):
            hook.after_train_iter(runner_at(iteration), iteration, outputs=outputs)
    else:
        hook.after_train_iter(runner_at(iteration), iteration, outputs=outputs)


def test_interval_of_losses():
    with pytest.raises(ValueError, match='interval must be at least 1'):
        FiniteLossHook(0)


def test_progress_is_reported(tmp_path):
    """Iterations and the loss in training, frames of batches elsewhere."""
    path = tmp_path / 'reports'
    loader = SimpleNamespace(sampler=range(5), batch_size=2)
    runner = SimpleNamespace(iter=49, max_iters=100, val_dataloader=loader, test_dataloader=loader)
    hook = ReportProgressHook(str(path), interval=0)
    hook.after_train_iter(runner, 0, None, dict(loss=torch.tensor(0.5)))
    hook.after_val_iter(runner, 0)
    hook.after_test_iter(runner, 2)
    lines = path.read_text().splitlines()
    assert lines == ['["train", 50, 100, 0.5]', '["val", 2, 5, null]', '["test", 5, 5, null]']


def test_progress_is_reported_from_time_to_time(tmp_path):
    """The first iteration, those after the interval, and the last."""
    path = tmp_path / 'reports'
    hook = ReportProgressHook(str(path), interval=3600)
    for i in range(5):
        hook.after_train_iter(SimpleNamespace(iter=i, max_iters=5), i, None, dict(loss=torch.tensor(float(i))))
    assert path.read_text().splitlines() == ['["train", 1, 5, 0.0]', '["train", 5, 5, 4.0]']


@pytest.mark.parametrize('count', [0, 1, 3])
@pytest.mark.parametrize('phase', ['val', 'test'])
def test_every_late_result_is_drawn(phase, count, monkeypatch):
    """mmtrack's hook insists on exactly one result an iteration."""
    drawn = []
    monkeypatch.setattr(
        TrackVisualizationHook,
        f'after_{phase}_iter',
        lambda self, runner, batch_idx, data_batch, outputs: drawn.append((batch_idx, outputs)),
    )
    hook = LateVisualizationHook.__new__(LateVisualizationHook)
    outputs = list(range(count))
    getattr(hook, f'after_{phase}_iter')(None, 7, {}, outputs)
    assert drawn == [(7, [i]) for i in outputs]


class Strided(torch.nn.Module):
    """A narrow residual stage: the 1x1 convolution with a stride is its shortcut."""

    def __init__(self, channels):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, channels, 3)
        self.body = torch.nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.shortcut = torch.nn.Conv2d(channels, 2 * channels, 1, stride=2)

    def forward(self, images):
        x = self.stem(images)
        return self.body(x) + self.shortcut(x)


@pytest.mark.parametrize('channels, is_last', [(8, False), (16, True)])
def test_channels_last_but_for_what_overruns(channels, is_last):
    torch.manual_seed(0)
    model = Strided(channels).double()
    plain = copy.deepcopy(model)
    hook = ChannelsLastHook()
    for _ in range(2):  # training, then testing
        hook.before_run(SimpleNamespace(model=model))
    seen = []
    model.shortcut.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].is_contiguous(memory_format=torch.channels_last))
    )
    images = torch.randn(2, 3, 20, 24, dtype=torch.float64)
    model(images).square().sum().backward()
    plain(images).square().sum().backward()
    assert model.stem.weight.is_contiguous(memory_format=torch.channels_last)
    assert seen == [is_last]
    assert len(model.shortcut._forward_pre_hooks) == 1 + (not is_last)
    for ours, theirs in zip(model.parameters(), plain.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.slow
@pytest.mark.skipif(not glob.glob('/lib*/*/libc_malloc_debug.so.0'), reason='glibc without its checks')
def test_the_hook_keeps_the_heap_whole():
    """glibc's checking allocator ends a process that wrote past a buffer."""
    code = (
        'import mmrdn, sys, torch; sys.path[:0] = ["tests", "tests/test_engine"]; from types import SimpleNamespace; '
        'from test_hooks import ChannelsLastHook, Strided; model = Strided(4); '
        'ChannelsLastHook().before_run(SimpleNamespace(model=model)); images = torch.randn(2, 3, 66, 82); '
        '[model(images).sum().backward() for _ in range(20)]; print("whole")'
    )
    checked = dict(os.environ, MALLOC_CHECK_='3', LD_PRELOAD='libc_malloc_debug.so.0')
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, env=checked, capture_output=True, text=True)
    assert done.stdout == 'whole\n', done.stderr[-500:]
