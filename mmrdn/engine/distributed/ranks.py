# Copyright (c) mmrdn contributors. All rights reserved.
"""The processes of a launcher as ranks of one job, and the store that they share."""

import datetime
import functools
import os
import subprocess

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.utils.dl_utils import set_multi_processing

from mmrdn.engine.distributed.rank_watch import RankWatch

# Names of rank, number of ranks and rank on this machine, by launcher.
ENVIRONMENT = dict(
    pytorch=('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    slurm=('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
)


def this_rank(launcher: str) -> tuple[int, int]:
    """Return the rank of this process and the number of ranks.

    Args:
        launcher (str): ``none``, ``pytorch``, ``slurm`` or ``mpi``, which is asked as long as the
            ranks have not joined. With ``none`` the process is a whole job, whatever the
            environment of a cluster contains.
    """
    if dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    if launcher == 'none':
        return 0, 1
    rank, size, _ = ENVIRONMENT[launcher]
    number = int(os.environ.get(rank, 0))
    return number, int(os.environ.get(size, number + 1))


def device_of_rank(launcher: str) -> str | None:
    """Return the name of the GPU of this process, each rank of a machine having another; None without."""
    if launcher == 'none' or not torch.cuda.is_available():
        return None
    number = int(os.environ.get(ENVIRONMENT[launcher][2], 0))
    return f'cuda:{number % torch.cuda.device_count()}'  # Slurm may show each task its own alone


def join_ranks(cfg: Config) -> None:
    """Join the other ranks of the job, if there is a launcher, and watch them from then on.

    MMEngine's runner would join them later, but needs CUDA devices, and ranks would not be watched
    while it builds the model.

    Args:
        cfg (Config): Config with the ``launcher``. Without a GPU its ``model_wrapper_cfg`` is set.
    """
    if cfg.launcher == 'none':
        return
    env = cfg.get('env_cfg', {})
    on_cpu = not torch.cuda.is_available()
    if dist.is_initialized():
        pass
    elif on_cpu:
        _take_environment(cfg.launcher)
        seconds = env.get('dist_cfg', {}).get('timeout')
        dist.init_process_group('gloo', timeout=datetime.timedelta(seconds=seconds) if seconds else None)
    else:
        set_multi_processing(**env.get('mp_cfg', {}), distributed=True)
        init_dist(cfg.launcher, **env.get('dist_cfg', {}))
    if on_cpu:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    if dist.get_world_size() > 1 and RankWatch.current is None:
        RankWatch.current = RankWatch(job_store(), dist.get_rank(), dist.get_world_size())
        RankWatch.current.start()


def _take_environment(launcher: str) -> None:
    """Translate a launcher's environment variables to those that torch reads."""
    for name, theirs in zip(ENVIRONMENT['pytorch'], ENVIRONMENT[launcher]):
        if theirs not in os.environ:
            raise ValueError(
                f'--launcher {launcher} needs {theirs} in the environment: start the tool through mim or the launcher'
            )
        os.environ[name] = os.environ[theirs]
    os.environ.setdefault('MASTER_PORT', '29500')
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        hosts = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        os.environ['MASTER_ADDR'] = hosts.split()[0]


def job_store() -> dist.Store:
    """Return keys and counters that all ranks see, without waiting for one another.

    Returns:
        Store: Second connection to the store through which the ranks joined; a new store for a
        single process.
    """
    if dist.is_initialized() and dist.get_world_size() > 1:
        return _connect()
    return dist.HashStore()


@functools.lru_cache(maxsize=1)
def _connect() -> dist.Store:
    # A connection serves one request after another. On the process group's own a request may wait
    # for another rank as long as the group's timeout.
    store = dist.TCPStore(
        os.environ['MASTER_ADDR'],
        int(os.environ['MASTER_PORT']),
        is_master=False,
        wait_for_workers=False,
        timeout=datetime.timedelta(seconds=60),
    )
    attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    return dist.PrefixStore(f'mmrdn/{attempt}', store)
