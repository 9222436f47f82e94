# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.utils.ranks import ENVIRONMENT, job_store, this_rank


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for names in ENVIRONMENT.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize('environment, expected', [
    (dict(), (0, 1)),
    (dict(RANK='0', WORLD_SIZE='4'), (0, 4)),
    (dict(RANK='3', WORLD_SIZE='4'), (3, 4)),
    (dict(SLURM_PROCID='2', SLURM_NTASKS='8'), (2, 8)),
    (dict(SLURM_PROCID='0', SLURM_NTASKS='8'), (0, 1)),
    (dict(OMPI_COMM_WORLD_RANK='1', OMPI_COMM_WORLD_SIZE='2'), (1, 2)),
    (dict(RANK='1', WORLD_SIZE='2', SLURM_PROCID='5', SLURM_NTASKS='6'),
     (1, 2)),
])
def test_what_launchers_say(environment, expected, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert this_rank() == expected


def test_the_store_of_a_single_process_is_new():
    assert job_store().add('count', 3) == 3
    assert job_store().add('count', 0) == 0
