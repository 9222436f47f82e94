# Copyright (c) mmrdn contributors. All rights reserved.
"""How the processes of a launcher become ranks of one job."""

import datetime
import os
import subprocess

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.utils.dl_utils import set_multi_processing

from mmrdn.engine.distributed.rank_watch import RankWatch
from mmrdn.engine.distributed.ranks import ENVIRONMENT


def join_job(cfg: Config) -> None:
    """Join the other ranks, and watch them from then on.

    MMEngine's runner does so too unless it is done, but then nobody watches while it builds the
    model.

    Args:
        cfg (Config): Its ``launcher`` says how processes were started. Where there is no GPU, its
            ``model_wrapper_cfg`` is set.
    """
    if cfg.launcher == 'none':
        return
    if torch.cuda.is_available():
        if not dist.is_initialized():
            env = cfg.get('env_cfg', {})
            set_multi_processing(**env.get('mp_cfg', {}), distributed=True)
            init_dist(cfg.launcher, **env.get('dist_cfg', {}))
    else:
        _join_over_cpus(cfg)
    RankWatch.begin()


def _join_over_cpus(cfg: Config) -> None:
    """MMEngine would choose a CUDA device first."""
    ours = ENVIRONMENT['pytorch']
    for name, theirs in zip(ours, ENVIRONMENT[cfg.launcher]):
        if theirs not in os.environ:
            raise ValueError(
                f'--launcher {cfg.launcher} needs {theirs} in the '
                'environment: start the tool through mim or the launcher'
            )
        os.environ[name] = os.environ[theirs]
    os.environ.setdefault('MASTER_PORT', '29500')
    if cfg.launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.run(
            ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']], capture_output=True, text=True, check=True
        ).stdout
        os.environ['MASTER_ADDR'] = hosts.split()[0]
    if not dist.is_initialized():
        seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
        timeout = datetime.timedelta(seconds=seconds) if seconds else None
        dist.init_process_group('gloo', timeout=timeout)
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
