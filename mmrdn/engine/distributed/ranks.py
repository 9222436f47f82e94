# Copyright (c) mmrdn contributors. All rights reserved.
"""The ranks of a job: which one this process is, and what all share."""

import datetime
import functools
import os

import torch.distributed as dist

# Names of rank, number of ranks and rank on this machine, by launcher.
ENVIRONMENT = dict(
    pytorch=('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    slurm=('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
)

_launcher = 'none'


def set_launcher(launcher: str) -> None:
    """Say how this process was started.

    Args:
        launcher (str): ``none``, ``pytorch``, ``slurm`` or ``mpi``. With ``none`` it is a job of
            its own, whatever a cluster has put into the environment.
    """
    global _launcher
    _launcher = launcher


def this_rank() -> tuple[int, int]:
    """Rank of this process and number of ranks.

    Before the ranks have joined it is what the launcher says, see
    :func:`set_launcher`.
    """
    if dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    if _launcher == 'none':
        return 0, 1
    rank, size, _ = ENVIRONMENT[_launcher]
    number = int(os.environ.get(rank, 0))
    return number, int(os.environ.get(size, number + 1))


def job_store() -> dist.Store:
    """Keys and counters that all ranks see, without waiting for one another.

    Returns:
        Store: Of a single process one of its own, new every time; else a
        second connection to the store through which the ranks joined.
    """
    if this_rank()[1] == 1:
        return dist.HashStore()
    return _connect()


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
