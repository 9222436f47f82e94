# Copyright (c) mmrdn contributors. All rights reserved.
import errno
import inspect
import os
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import IterTimerHook
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.registry import HOOKS, DefaultScope
from mmengine.runner import FlexibleRunner, Runner, loops
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from mmtrack.engine.hooks import TrackVisualizationHook

from helpers.tools import write_config
from mmrdn.apis import build_runner, claim_work_dir, enable_amp, load_config
from mmrdn.apis.config_files import unread_keys
from mmrdn.apis.runner import find_resume, use_own_hooks
from mmrdn.apis.runner import test_by_videos as by_videos
from mmrdn.datasets import LoadFrame
from mmrdn.engine import CheckpointHook, CPUAmpOptimWrapper, LateVisualizationHook, LoggerHook
from mmrdn.fileio.checkpoint import load_checkpoint_file


@pytest.mark.slow
def test_each_frame_is_decoded_and_passes_the_backbone_once(tiny_config, trained, tmp_path, monkeypatch):
    """In a whole test run, T = 2: 4 videos of 5 frames."""
    decoded, frames = [], []
    transform = LoadFrame.transform

    def count(self, results):
        decoded.append(results['img_path'])
        return transform(self, results)

    monkeypatch.setattr(LoadFrame, 'transform', count)
    cfg = load_config(str(tiny_config), dict(experiment_name='count'), str(tmp_path))
    cfg.load_from = str(trained / 'iter_8.pth')
    runner = build_runner(cfg)
    runner.model.detector.backbone.register_forward_pre_hook(
        lambda module, args: frames.extend(args[0].flatten(1)[:, ::97])
    )
    metrics = runner.test()
    assert set(metrics) >= {'vid/mAP50', 'vid/mAP50_fast'}
    assert len(decoded) == len(set(decoded)) == 20
    # None is seen twice: 20 images that all differ.
    assert len(frames) == len({tuple(f.tolist()) for f in frames}) == 20


def test_loops_accept_steps_without_results():
    """mmengine's own function takes the last of them, which is not there."""
    assert loops._update_losses([], {}) == ([], {})
    assert loops._update_losses([3, 4], {}) == ([3, 4], {})
    outputs, losses = loops._update_losses([3, BaseDataElement(loss=dict(a=torch.tensor(2.0)))], {})
    assert outputs == [3] and losses['a'].mean() == 2


def test_the_config_is_dumped_under_another_name(tiny_config, trained):
    """mim must find one file of a config's name only."""
    found = [path.name for path in trained.rglob('*.py')]
    assert found and set(found) == {'config.py'}
    assert Config.fromfile(trained / 'config.py').experiment_name == 'tiny'
    meta = load_checkpoint_file(trained / 'iter_8.pth')['meta']
    assert meta['experiment_name'].startswith('tiny_2')


def test_a_lazily_imported_config_can_be_dumped(tmp_path):
    config = tmp_path / 'lazy.py'
    config.write_text('from mmrdn.models import RDN\nmodel = dict(type=RDN, temporal_range=3)\n')
    cfg = load_config(str(config))
    cfg.dump(str(tmp_path / os.path.basename(cfg.filename)))
    again = Config.fromfile(tmp_path / 'config.py')
    assert again.model.type == 'mmrdn.models.RDN'
    assert again.model.temporal_range == 3


def test_what_the_config_says_goes_first(digits, tmp_path):
    config = write_config(tmp_path / 'mine.py', digits, "work_dir = 'w'\nexperiment_name = 'e'\n")
    cfg = load_config(str(config))
    assert (cfg.work_dir, cfg.experiment_name) == ('w', 'e')
    assert load_config(str(config), work_dir='x').work_dir == 'x'
    plain = write_config(tmp_path / 'plain.py', digits)
    assert load_config(str(plain)).work_dir == os.path.join('work_dirs', 'plain')


def test_unread_keys(tmp_path):
    config = tmp_path / 'c.py'
    config.write_text(
        """
# fp16 in a comment is no use of it
model = dict(type='RDN', temporal_range=span)
span = 3
fp16 = dict(loss_scale=512.)
twice = 1
twice = 2
""".replace('model', 'span = 3\nmodel', 1)
    )
    assert unread_keys(Config.fromfile(config)) == ['fp16', 'twice']


@pytest.mark.parametrize('rank', ['0', '1'])
def test_only_the_first_process_claims_the_directory(rank, tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', rank)
    lock = claim_work_dir(str(tmp_path / 'work'), resume=False, launcher='pytorch')
    assert (lock is None) == (rank == '1')
    if lock is not None:
        with pytest.raises(ValueError, match='in use'):
            claim_work_dir(str(tmp_path / 'work'), resume=True, launcher='pytorch')
        lock.close()
        claim_work_dir(str(tmp_path / 'work'), resume=True, launcher='pytorch').close()


@pytest.mark.parametrize('name', ['runs[1]', 'a*b', 'what?', 'plain'])
def test_a_directory_with_checkpoints_is_refused_whatever_its_name(name, tmp_path):
    """Also one that reads as a pattern; a directory that the pattern fits is another one."""
    (tmp_path / name).mkdir()
    claim_work_dir(str(tmp_path / name), resume=False, launcher='none').close()
    (tmp_path / name / 'iter_9.pth').write_text('mine')
    with pytest.raises(ValueError, match='holds checkpoints already'):
        claim_work_dir(str(tmp_path / name), resume=False, launcher='none')
    (tmp_path / 'runs1').mkdir()
    (tmp_path / 'runs1' / 'iter_9.pth').write_text('another')
    (tmp_path / name / 'iter_9.pth').unlink()
    claim_work_dir(str(tmp_path / name), resume=False, launcher='none').close()


def test_a_lock_that_is_a_link_is_refused_and_its_target_kept(tmp_path):
    (tmp_path / 'work').mkdir()
    mine = tmp_path / 'mine.txt'
    mine.write_text('mine')
    (tmp_path / 'work' / '.lock').symlink_to(mine)
    with pytest.raises(ValueError, match=r'work/\.lock is a symbolic link'):
        claim_work_dir(str(tmp_path / 'work'), resume=False, launcher='none')
    assert mine.read_text() == 'mine'
    # A file of that name is kept too: nothing is ever written into it.
    (tmp_path / 'work' / '.lock').unlink()
    (tmp_path / 'work' / '.lock').write_text('mine')
    claim_work_dir(str(tmp_path / 'work'), resume=False, launcher='none').close()
    assert (tmp_path / 'work' / '.lock').read_text() == 'mine'


def test_a_file_system_without_locks_is_no_other_training(tmp_path, monkeypatch):
    def flock(*args):
        raise OSError(errno.EOPNOTSUPP, 'Operation not supported')

    monkeypatch.setattr('fcntl.flock', flock)
    with pytest.warns(UserWarning, match='its file system has no locks'):
        claim_work_dir(str(tmp_path / 'work'), resume=False, launcher='none').close()


@pytest.mark.parametrize('kind', ['OptimWrapper', 'mmengine.OptimWrapper', OptimWrapper, None])
def test_amp_of_a_plain_wrapper(kind):
    """Named, with its scope, given as a class, or by default."""
    cfg = Config(dict(optim_wrapper=dict(accumulative_counts=2) | (dict(type=kind) if kind else {})))
    enable_amp(cfg)
    first = cfg.optim_wrapper.type
    assert first in ('AmpOptimWrapper', 'mmrdn.CPUAmpOptimWrapper')
    enable_amp(cfg)  # is on already
    assert cfg.optim_wrapper.type == first
    assert cfg.optim_wrapper.accumulative_counts == 2


@pytest.mark.parametrize('kind', [AmpOptimWrapper, CPUAmpOptimWrapper])
def test_amp_that_is_on_as_a_class(kind):
    cfg = Config(dict(optim_wrapper=dict(type=kind)))
    enable_amp(cfg)
    assert cfg.optim_wrapper.type is kind


@pytest.mark.parametrize('kind', ['ApexOptimWrapper', OptimWrapperDict])
def test_amp_needs_a_plain_wrapper(kind):
    cfg = Config(dict(optim_wrapper=dict(type=kind)))
    name = kind if isinstance(kind, str) else kind.__name__
    with pytest.raises(ValueError, match=f'--amp needs optim_wrapper.type="OptimWrapper", got "{name}"'):
        enable_amp(cfg)


@pytest.mark.parametrize('kind', ['TestLoop', 'mmengine.TestLoop', loops.TestLoop])
def test_a_plain_test_loop_becomes_ours(kind):
    cfg = Config(dict(test_cfg=dict(type=kind)))
    by_videos(cfg, 'skip', True)
    assert cfg.test_cfg == dict(type='mmrdn.VideoTestLoop', on_bad_frame='skip', resume=True)


def test_what_the_runners_read_is_no_unread_key(tmp_path):
    """Keys of the config in MMEngine's own text, which is long."""
    text = inspect.getsource(Runner) + inspect.getsource(FlexibleRunner)
    keys = set(re.findall(r"cfg\.get\(\s*'(\w+)'", text)) - {'type', 'seed', 'num_workers', 'cudnn_benchmark'}
    keys -= {'mp_cfg', 'dist_cfg', 'resource_limit'}  # of env_cfg
    assert {'compile', 'activation_checkpointing', 'efficient_conv_bn_eval', 'strategy', 'sync_bn'} <= keys
    config = tmp_path / 'c.py'
    config.write_text(''.join(f'{key} = None\n' for key in sorted(keys)) + 'gpu_ids = [0]\n')
    assert unread_keys(Config.fromfile(config)) == ['gpu_ids']


@pytest.mark.parametrize('scope', ['mmtrack', 'mmrdn'])
def test_hooks_of_others_become_ours(scope, monkeypatch):
    """Hooks in a config with mmtrack's scope too, and those that MMEngine adds."""
    monkeypatch.setattr(Visualizer, 'get_current_instance', lambda: None)
    hooks = dict(
        checkpoint=dict(type='CheckpointHook', interval=3, _scope_='mmtrack'),
        visualization=dict(type=TrackVisualizationHook, draw=False, interval=7),
        timer=dict(type='IterTimerHook'),
        sampler_seed=None,
    )
    cfg = Config(dict(default_hooks=hooks))
    use_own_hooks(cfg)
    assert cfg.default_hooks.sampler_seed is None
    with DefaultScope.overwrite_default_scope(scope):
        built = {name: HOOKS.build(hook) for name, hook in cfg.default_hooks.items() if hook}
    kinds = dict(checkpoint=CheckpointHook, visualization=LateVisualizationHook, timer=IterTimerHook, logger=LoggerHook)
    assert {name: type(hook) for name, hook in built.items()} == kinds
    assert built['checkpoint'].interval == 3 and built['visualization'].interval == 7
    empty = Config({})
    use_own_hooks(empty)
    assert empty.default_hooks.checkpoint == dict(type='mmrdn.CheckpointHook', interval=1)


def test_a_hook_that_is_none_is_left_out(tiny_config, tmp_path):
    """MMEngine knows the first name; its AssertionError for the other has no words."""
    cfg = load_config(str(tiny_config))
    cfg.work_dir = str(tmp_path)
    cfg.default_hooks.update(timer=None, visualization=None)
    with pytest.warns(UserWarning, match='default_hooks.visualization is None: no hook of this name runs'):
        runner = build_runner(cfg)
    kinds = {type(hook).__name__ for hook in runner.hooks}
    assert not kinds & {'IterTimerHook', 'LateVisualizationHook'}
    assert {'CheckpointHook', 'LoggerHook', 'ParamSchedulerHook'} <= kinds
    cfg = Config(dict(default_hooks=None))
    use_own_hooks(cfg)
    assert {name: hook['type'] for name, hook in cfg.default_hooks.items()} == dict(
        checkpoint='mmrdn.CheckpointHook', logger='mmrdn.LoggerHook'
    )


def test_what_a_killed_training_was_writing_is_removed(tmp_path):
    for name in ('.iter_4.pth.0123456789abcdef.partial', '.mine.partial', 'iter_3.pth'):
        (tmp_path / name).write_text('x')
    with pytest.raises(ValueError, match='holds checkpoints already'):
        claim_work_dir(str(tmp_path), resume=False, launcher='none')
    assert len(list(tmp_path.glob('.iter*'))) == 1  # not before it is ours
    claim_work_dir(str(tmp_path), resume=True, launcher='none').close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.lock', '.mine.partial', 'iter_3.pth']


@pytest.mark.parametrize('times, expected', [((1, 2, 3, 0), 6), ((1, 2, 0, 3), 4), ((1, 3, 0, 2), 4)])
def test_the_newest_checkpoint_may_not_be_recorded(times, expected, tmp_path):
    """Killed in between; and a training that went back to 4 beside a longer one."""
    for step, time in zip((2, 4, 6), times):
        torch.save(dict(message_hub={}), tmp_path / f'iter_{step}.pth')
        os.utime(tmp_path / f'iter_{step}.pth', (time, time))
    (tmp_path / 'last_checkpoint').write_text(f'{tmp_path}/iter_4.pth')
    os.utime(tmp_path / 'last_checkpoint', (times[3] + 2 if expected == 6 else 3,) * 2)
    cfg = Config(dict(work_dir=str(tmp_path)))
    find_resume(cfg)
    assert cfg.load_from == f'{tmp_path}/iter_{expected}.pth'
