# Copyright (c) mmrdn contributors. All rights reserved.
"""The scripts that start several processes."""

import subprocess

import pytest

from helpers.tools import ROOT

TORCHRUN = '--nnodes=1 --node_rank=0 --master_addr=127.0.0.1 --master_port=29500 --nproc_per_node=2'.split()


SRUN = [
    *'-p part --job-name=job --gres=gpu:4 --ntasks=4 --ntasks-per-node=4 --cpus-per-task=5'.split(),
    *'--kill-on-bad-exit=1 -A me {python} -u'.split(),
]


@pytest.mark.parametrize(
    'script, args, expected',
    [
        (
            'dist_train.sh',
            ['c.py', '2', '--amp'],
            [*TORCHRUN, '{tools}/train.py', 'c.py', '--launcher', 'pytorch', '--amp'],
        ),
        (
            'dist_test.sh',
            ['c.py', 'a b.pth', '2', '--x', 'y z'],
            [*TORCHRUN, '{tools}/test.py', 'c.py', 'a b.pth', '--launcher', 'pytorch', '--x', 'y z'],
        ),
        (
            'slurm_train.sh',
            ['part', 'job', 'c.py', 'work', '--amp'],
            [*SRUN, '{tools}/train.py', 'c.py', '--work-dir', 'work', '--launcher', 'slurm', '--amp'],
        ),
        (
            'slurm_test.sh',
            ['part', 'job', 'c.py', 'a b.pth'],
            [*SRUN, '{tools}/test.py', 'c.py', 'a b.pth', '--launcher', 'slurm'],
        ),
    ],
)
def test_what_the_scripts_start(script, args, expected, tmp_path):
    """From another folder; a stand-in prints what it is called with."""
    stub = tmp_path / 'srun'
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    done = subprocess.run(
        ['bash', str(ROOT / 'tools' / script), *args],
        env=dict(PATH=f'{tmp_path}:/usr/bin:/bin', PYTHON=str(stub), SRUN_ARGS='-A me'),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    words = done.stdout.splitlines()
    if script.startswith('dist'):
        assert words[:2] == ['-m', 'torch.distributed.run']
        del words[:2]
    names = dict(tools=ROOT / 'tools', python=stub)
    assert words == [word.format(**names) for word in expected]
    short = subprocess.run(['bash', str(ROOT / 'tools' / script), 'one'], capture_output=True, text=True)
    assert short.returncode == 2 and short.stderr.startswith('usage: ')
