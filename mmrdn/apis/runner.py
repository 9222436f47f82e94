# Copyright (c) mmrdn contributors. All rights reserved.
"""From a config file to an MMEngine runner: what train and test share."""

import fcntl
import glob
import os
import os.path as osp
import re
import warnings
from collections.abc import Sequence
from typing import IO

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmrdn.engine import CheckpointGuardHook, ShardProgressHook
from mmrdn.engine.distributed.join import join_job
from mmrdn.engine.distributed.ranks import set_launcher, this_rank
from mmrdn.fileio.checkpoint import install_safe_loading

# What MMEngine's runner, or a command of ours, reads at the top of a config.
_KNOWN_KEYS = {
    'auto_scale_lr',
    'custom_hooks',
    'custom_imports',
    'data_preprocessor',
    'default_hooks',
    'default_scope',
    'env_cfg',
    'experiment_name',
    'find_unused_parameters',
    'launcher',
    'model_wrapper_cfg',
    'sync_bn',
    'load_from',
    'log_level',
    'log_processor',
    'model',
    'optim_wrapper',
    'param_scheduler',
    'randomness',
    'resume',
    'runner_type',
    'test_cfg',
    'test_dataloader',
    'test_evaluator',
    'train_cfg',
    'train_dataloader',
    'val_cfg',
    'val_dataloader',
    'val_evaluator',
    'visualizer',
    'work_dir',
}


def load_config(
    filename: str,
    options: dict | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
    needs: Sequence[str] = (),
) -> Config:
    """Read a config and what the command line changes in it.

    Args:
        filename (str): Path of the config.
        options (dict, optional): Values of ``--cfg-options``.
        work_dir (str, optional): Where logs and checkpoints go; the config's own or
            ``work_dirs/<name of the config>`` if not given.
        launcher (str): ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        needs (Sequence[str]): What must be in the config beside a model.

    Returns:
        Config: The merged config.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It cannot be read, or lacks something.
    """
    set_launcher(launcher)
    if not osp.isfile(filename):
        raise FileNotFoundError(f'config {filename} does not exist')
    cfg = _read_config(filename)
    if options:
        cfg.merge_from_dict(options)
    for key in ('model', *needs):
        if cfg.get(key) is None:
            raise ValueError(f'config {filename} has no "{key}"')
    unread = ', '.join(f'"{key}"' for key in unread_keys(cfg))
    if unread:
        warnings.warn(f'config {filename}: nothing reads {unread} at its top')
    cfg.launcher = launcher
    stem = osp.splitext(osp.basename(filename))[0]
    cfg.work_dir = work_dir or cfg.get('work_dir') or osp.join('work_dirs', stem)
    cfg.setdefault('experiment_name', stem)
    return cfg


def _read_config(filename: str) -> Config:
    """Read a config that will be dumped as ``config.py``.

    MMEngine dumps it into the work folder under its own name otherwise, and then mim, which looks
    for configs everywhere below the checkout of an editable install, finds two of that name.
    """
    try:
        cfg = Config.fromfile(filename)
    except SyntaxError as error:
        if error.lineno is None and isinstance(error.__context__, SyntaxError):
            error = error.__context__  # MMEngine raises a new one
        raise ValueError(f'config {filename}: line {error.lineno}: {error.msg}') from error
    except OSError as error:  # a base that is not there names itself
        raise ValueError(f'config {filename}: {error}') from error
    except Exception as error:  # a config is Python: it may raise anything
        raise ValueError(f'config {filename}: {type(error).__name__}: {error}') from error
    # Building another Config would lose what a lazily imported one knows.
    object.__setattr__(cfg, '_filename', 'config.py')
    return cfg


def unread_keys(cfg: Config) -> list[str]:
    """Top-level names that neither a runner nor the config itself reads."""
    text = re.sub(r'#.*', '', cfg.text)
    unread = []
    for key in cfg:
        if key in _KNOWN_KEYS:
            continue
        name = re.escape(key)
        assigned = len(re.findall(rf'^{name}\s*=', text, re.M))
        if len(re.findall(rf'\b{name}\b', text)) <= assigned:
            unread.append(key)
    return unread


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision: fp16 on an accelerator, bf16 on the CPU.

    Raises:
        ValueError: The config has an optimizer wrapper of another kind.
    """
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind.split('.')[-1] in ('AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        return
    if kind != 'OptimWrapper':
        raise ValueError(f'--amp needs optim_wrapper.type="OptimWrapper", got "{kind}"')
    if torch.cuda.is_available():
        cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
    else:
        cfg.optim_wrapper.type = 'mmrdn.CPUAmpOptimWrapper'


def claim_work_dir(work_dir: str, resume: bool) -> IO | None:
    """Keep a training from overwriting another one's results.

    Args:
        work_dir (str): The folder.
        resume (bool): Whether to go on with what is there.

    Returns:
        IO or None: A lock; keep it as long as the training runs. None in all
        processes but the first.

    Raises:
        ValueError: The folder is in use, or holds checkpoints and ``resume`` is off.
    """
    if this_rank()[0] > 0:
        return None
    if osp.exists(work_dir) and not osp.isdir(work_dir):
        raise ValueError(f'work_dir {work_dir} is a file, expected a folder')
    os.makedirs(work_dir, exist_ok=True)
    lock = open(osp.join(work_dir, '.lock'), 'w')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f'work_dir {work_dir} is in use by another training; choose another --work-dir') from error
    if not resume and glob.glob(osp.join(work_dir, '*.pth')):
        raise ValueError(
            f'work_dir {work_dir} holds checkpoints already; go on with '
            '--resume, choose another --work-dir or remove them'
        )
    return lock


def find_resume(cfg: Config, checkpoint: str = 'auto') -> None:
    """Make the config go on with an interrupted training.

    MMEngine takes ``load_from``, phase 1's checkpoint in a config of phase 2, for the one to go on
    from; here the newest in the work folder goes first. If there is none, the training starts from
    its beginning, with a warning: so one and the same command can be started again and again.

    Args:
        cfg (Config): Its ``resume`` and ``load_from`` are set.
        checkpoint (str): The checkpoint, or ``auto`` for the newest one.
    """
    if checkpoint == 'auto':
        note = osp.join(cfg.work_dir, 'last_checkpoint')
        if not osp.isfile(note):
            warnings.warn(f'work_dir {cfg.work_dir} holds no checkpoint to resume from: the training starts anew')
            cfg.resume = False
            return
        with open(note) as file:
            checkpoint = file.read().strip()
        moved = osp.join(cfg.work_dir, osp.basename(checkpoint))
        if not osp.isfile(checkpoint) and osp.isfile(moved):
            checkpoint = moved
    cfg.resume, cfg.load_from = True, checkpoint


def build_runner(cfg: Config, trust_checkpoint: bool = False, partial_checkpoint: bool = False) -> Runner:
    """Build the runner of a config.

    Args:
        cfg (Config): From :func:`load_config`.
        trust_checkpoint (bool): Unpickle whatever a checkpoint holds.
        partial_checkpoint (bool): Whether a checkpoint may fill a part of the model.

    Returns:
        Runner: MMEngine's runner, or what ``cfg.runner_type`` names.
    """
    install_safe_loading(trust_checkpoint)
    join_job(cfg)
    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = Runner.from_cfg(cfg)
    runner.register_hook(CheckpointGuardHook(partial_checkpoint))
    if not any(isinstance(hook, ShardProgressHook) for hook in runner.hooks):
        runner.register_hook(ShardProgressHook())
    return runner
