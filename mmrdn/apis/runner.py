# Copyright (c) mmrdn contributors. All rights reserved.
"""MMEngine runners: the steps that train and test share, from a config on."""

import errno
import fcntl
import glob
import os
import os.path as osp
import re
import warnings
from typing import IO

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmrdn.engine import CheckpointGuardHook, GuardedRunner, RunGuardHook, ScheduleGuardHook, ShardProgressHook
from mmrdn.engine.distributed.ranks import join_ranks, this_rank
from mmrdn.fileio.checkpoint import install_safe_loading, load_checkpoint_file, local_checkpoint
from mmrdn.utils.config_types import type_name

# MMEngine itself leaves these out where they are None, and only these.
_MMENGINE_HOOKS = frozenset('runtime_info timer sampler_seed logger param_scheduler checkpoint'.split())
_OWN_HOOKS = dict(
    CheckpointHook='CheckpointHook', LoggerHook='LoggerHook', TrackVisualizationHook='LateVisualizationHook'
)


def enable_amp(cfg: Config) -> None:
    """Make a config train in mixed precision: fp16 on an accelerator, bf16 on the CPU.

    Raises:
        ValueError: The config has an optimizer wrapper of another kind.
    """
    kind = type_name(cfg.optim_wrapper, 'OptimWrapper')
    if kind in ('AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        return
    if kind != 'OptimWrapper':
        raise ValueError(f'--amp needs optim_wrapper.type="OptimWrapper", got "{kind}"')
    if torch.cuda.is_available():
        cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
    else:
        cfg.optim_wrapper.type = 'mmrdn.CPUAmpOptimWrapper'


def test_by_videos(cfg: Config, on_bad_frame: str = 'stop', resume: bool = False) -> None:
    """Make a config test with a :class:`VideoTestLoop`, unless it names another loop.

    Args:
        cfg (Config): The config, whose ``test_cfg`` is set.
        on_bad_frame (str): See :class:`VideoTestLoop`.
        resume (bool): Likewise.

    Raises:
        ValueError: It names another loop, which does not have the options.
    """
    kind = type_name(cfg.test_cfg, 'TestLoop')
    if kind == 'TestLoop':
        cfg.test_cfg.update(type='mmrdn.VideoTestLoop', on_bad_frame=on_bad_frame, resume=resume)
    elif resume or on_bad_frame != 'stop':
        raise ValueError(f'--resume-test and --on-bad-frame skip need test_cfg.type="TestLoop", got "{kind}"')


def use_own_hooks(cfg: Config) -> None:
    """Replace hooks by ours that derive from them, in a config of any scope.

    A hook that is None is left out, with a warning if MMEngine does not know its name.

    Args:
        cfg (Config): The config, whose ``default_hooks`` are set. Hooks of other kinds stay.
    """
    if cfg.get('default_hooks') is None:
        cfg.default_hooks = {}
    hooks = cfg.default_hooks
    for name in [name for name, hook in hooks.items() if hook is None and name not in _MMENGINE_HOOKS]:
        del hooks[name]
        warnings.warn(f'default_hooks.{name} is None: no hook of this name runs')
    for name, hook in (('checkpoint', dict(type='CheckpointHook', interval=1)), ('logger', dict(type='LoggerHook'))):
        hooks.setdefault(name, hook)  # MMEngine's own defaults
    for hook in hooks.values():
        if isinstance(hook, dict) and type_name(hook) in _OWN_HOOKS:
            hook['type'] = f'mmrdn.{_OWN_HOOKS[type_name(hook)]}'


def claim_work_dir(work_dir: str, resume: bool, launcher: str) -> IO | None:
    """Keep a training from overwriting another one's results.

    Args:
        work_dir (str): Directory of the training.
        resume (bool): Whether the training continues from the checkpoints that are there.
        launcher (str): Launcher of this process, see :func:`load_config`.

    Returns:
        IO or None: A lock; keep it as long as the training runs. None in all processes but the
        first.

    Raises:
        ValueError: The directory is in use, or holds checkpoints and ``resume`` is off.
    """
    if this_rank(launcher)[0] > 0:
        return None
    if osp.exists(work_dir) and not osp.isdir(work_dir):
        raise ValueError(f'work_dir {work_dir} is a file, expected a directory')
    os.makedirs(work_dir, exist_ok=True)
    lock = _lock(work_dir)
    if not resume and glob.glob('*.pth', root_dir=work_dir):
        raise ValueError(
            f'work_dir {work_dir} holds checkpoints already; continue with '
            '--resume, choose another --work-dir or remove them'
        )
    for name in glob.glob('.*.pth.*.partial', root_dir=work_dir):  # of a training that was killed
        os.unlink(osp.join(work_dir, name))
    return lock


def _lock(work_dir: str) -> IO:
    """Return the lock of a work directory, as far as its file system has locks."""
    path = osp.join(work_dir, '.lock')
    try:
        # A link could lead to a file of others. Nothing is written.
        lock = open(path, 'ab', opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666))
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError(f'{path} is a symbolic link, expected the lock of a training: remove it') from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            lock.close()
            raise ValueError(f'work_dir {work_dir} is in use by another training; choose another --work-dir') from error
        warnings.warn(
            f'work_dir {work_dir}: its file system has no locks ({error.strerror}); '
            'make sure that no other training uses it'
        )
    return lock


def find_resume(cfg: Config, checkpoint: str = 'auto', trust_checkpoint: bool = False) -> None:
    """Make the config resume an interrupted training.

    MMEngine would resume from ``load_from``, which in a config of phase 2 is the checkpoint of phase 1.
    Here the newest checkpoint in the work directory goes first. If it cannot be read, the newest
    that can be read takes its place, with a warning. Without any, the training starts over, with a
    warning, so that the same command can be run again and again.

    Args:
        cfg (Config): The config, whose ``resume`` and ``load_from`` are set.
        checkpoint (str): The checkpoint, or ``auto`` for the newest one.
        trust_checkpoint (bool): Whether to unpickle whatever it holds.

    Raises:
        OSError, ValueError: There are checkpoints, and none of them can be read.
    """
    if checkpoint == 'auto':
        found = _newest_whole(cfg.work_dir, trust_checkpoint)
        if found is None:
            warnings.warn(f'work_dir {cfg.work_dir} holds no checkpoint to resume from: the training starts over')
            cfg.resume = False
            return
        checkpoint = found
    cfg.resume, cfg.load_from = True, checkpoint


def _newest_whole(work_dir: str, trust_checkpoint: bool) -> str | None:
    """Return the newest checkpoint of a training that can be read, None if there is none at all.

    Raises:
        OSError, ValueError: None of them can be read; the message is about the newest.
    """
    last, paths = _last_checkpoint(work_dir), _numbered_checkpoints(work_dir)
    if last:
        # A training that was killed may not have recorded its last one; one that went back leaves later numbers.
        recorded = osp.getmtime(osp.join(work_dir, 'last_checkpoint'))
        newer = [path for path in paths if osp.getmtime(path) > recorded]
        paths = [*newer, last, *(p for p in paths if p not in newer and osp.realpath(p) != osp.realpath(last))]
    problem: str | Exception | None = None if last else f'{work_dir}/last_checkpoint names no checkpoint'
    errors = []
    for path in paths:
        try:
            if 'message_hub' in load_checkpoint_file(path, trust_checkpoint=trust_checkpoint):
                if problem is not None:
                    warnings.warn(f'{problem}; continuing from {path}')
                return path
        except (OSError, ValueError) as error:
            errors.append(error)
            problem = problem or error
    if errors:
        raise errors[0]
    return None


def _last_checkpoint(work_dir: str) -> str | None:
    """Return the path that MMEngine recorded last; in ``work_dir``, should that have been moved."""
    try:
        with open(osp.join(work_dir, 'last_checkpoint')) as file:
            last = file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None
    moved = osp.join(work_dir, osp.basename(last))
    return moved if osp.isfile(moved) and not osp.isfile(last) else last or None


def _numbered_checkpoints(work_dir: str) -> list[str]:
    """Return the checkpoints in a directory, that of the last iteration or epoch first."""
    numbers = {
        osp.join(work_dir, name): int(found[1])
        for name in glob.glob('*.pth', root_dir=work_dir)
        if (found := re.fullmatch(r'(?:iter|epoch)_(\d+)\.pth', name))
    }
    return sorted(numbers, key=numbers.__getitem__, reverse=True)


def build_runner(cfg: Config, trust_checkpoint: bool = False, partial_checkpoint: bool = False) -> Runner:
    """Build the runner of a config.

    Args:
        cfg (Config): Config from :func:`load_config`.
        trust_checkpoint (bool): Whether to unpickle whatever a checkpoint holds.
        partial_checkpoint (bool): Whether a checkpoint may fill a part of the model.

    Returns:
        Runner: A :class:`GuardedRunner`, or the runner that ``cfg.runner_type`` names.
    """
    install_safe_loading(trust_checkpoint)
    join_ranks(cfg)
    use_own_hooks(cfg)
    if cfg.get('load_from'):
        # Logs and the config that is written beside them must not show secrets of a URL.
        cfg.load_from = local_checkpoint(cfg.load_from)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else GuardedRunner.from_cfg(cfg)
    runner.register_hook(CheckpointGuardHook(partial_checkpoint))
    runner.register_hook(ScheduleGuardHook())
    runner.register_hook(RunGuardHook())
    if not any(isinstance(hook, ShardProgressHook) for hook in runner.hooks):
        runner.register_hook(ShardProgressHook())
    return runner
