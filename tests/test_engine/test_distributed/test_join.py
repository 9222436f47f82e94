# Copyright (c) mmrdn contributors. All rights reserved.
"""Joining is tested by tests/test_tools, with two processes."""

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config

from mmrdn.engine.distributed.join import join_job


def test_nothing_to_join():
    cfg = Config(dict(launcher='none'))
    join_job(cfg)
    assert not dist.is_initialized() and 'model_wrapper_cfg' not in cfg


@pytest.mark.parametrize(
    'launcher, name', [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM_WORLD_RANK')]
)
def test_without_a_launcher(launcher, name, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError) as error:
        join_job(Config(dict(launcher=launcher)))
    assert str(error.value) == (
        f'--launcher {launcher} needs {name} in the environment: start the tool through mim or the launcher'
    )
