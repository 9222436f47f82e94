# Copyright (c) mmrdn contributors. All rights reserved.
"""Joining is tested by tests/test_tools, with two processes."""

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config

from mmrdn.apis import claim_work_dir
from mmrdn.engine.distributed.rank_watch import RankWatch
from mmrdn.engine.distributed.ranks import ENVIRONMENT, job_store, join_ranks, this_rank


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for names in ENVIRONMENT.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    'launcher, expected', [('none', (0, 1)), ('pytorch', (1, 2)), ('slurm', (5, 6)), ('mpi', (0, 3))]
)
def test_what_launchers_say(launcher, expected, monkeypatch):
    """That of the one that was asked for; a task of Slurm may be a job of its
    own, and Kubernetes sets RANK."""
    for name, value in dict(
        RANK='1', WORLD_SIZE='2', SLURM_PROCID='5', SLURM_NTASKS='6', OMPI_COMM_WORLD_RANK='0', OMPI_COMM_WORLD_SIZE='3'
    ).items():
        monkeypatch.setenv(name, value)
    assert this_rank(launcher) == expected


def test_started_by_hand():
    """With ``--launcher pytorch``, but without torchrun."""
    assert this_rank('pytorch') == (0, 1)


def test_a_task_that_is_no_rank_locks_its_directory(monkeypatch, tmp_path):
    monkeypatch.setenv('SLURM_PROCID', '1')
    monkeypatch.setenv('SLURM_NTASKS', '4')
    lock = claim_work_dir(str(tmp_path / 'work'), resume=False, launcher='none')
    assert lock is not None
    lock.close()
    (tmp_path / 'work' / 'iter_1.pth').write_text('mine')
    with pytest.raises(ValueError, match='holds checkpoints already'):
        claim_work_dir(str(tmp_path / 'work'), resume=False, launcher='none')
    assert job_store().add('count', 1) == 1


def test_the_store_of_a_single_process_is_new():
    assert job_store().add('count', 3) == 3
    assert job_store().add('count', 0) == 0


def test_nothing_to_join():
    cfg = Config(dict(launcher='none'))
    join_ranks(cfg)
    assert not dist.is_initialized() and 'model_wrapper_cfg' not in cfg
    assert RankWatch.current is None


@pytest.mark.parametrize(
    'launcher, name', [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM_WORLD_RANK')]
)
def test_without_a_launcher(launcher, name, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ValueError) as error:
        join_ranks(Config(dict(launcher=launcher)))
    assert str(error.value) == (
        f'--launcher {launcher} needs {name} in the environment: start the tool through mim or the launcher'
    )
