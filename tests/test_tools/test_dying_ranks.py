# Copyright (c) mmrdn contributors. All rights reserved.
"""A rank that dies ends the job, with two processes on the CPU."""

import json
import os
import re
import subprocess
import sys
import time

from helpers.tools import ROOT, free_port, tool_env, write_config

# One host's srun that lets the other tasks live when one has failed.
SRUN = """#!{python}
import os, subprocess, sys
command = sys.argv[sys.argv.index('{python}'):]
tasks = [
    subprocess.Popen(command, env=dict(
        os.environ, SLURM_PROCID=str(i), SLURM_LOCALID=str(i),
        SLURM_NTASKS='2', SLURM_NODELIST='node[1-2]'))
    for i in range(2)
]
statuses = [task.wait() for task in tasks]
print('statuses', statuses)
sys.exit(max(statuses))
"""
# Rank 1 is killed at its third iteration, as by the kernel out of memory.
KILLED = """
import os, signal, time
import torch.distributed as dist
from mmengine.hooks import Hook
from mmrdn.registry import HOOKS

@HOOKS.register_module()
class KilledHook(Hook):

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if dist.get_rank() == 1 and batch_idx == 2:
            open({path!r}, 'w').write(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)
"""


def write_script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def test_a_broken_frame_of_one_rank_under_slurm(digits, trained, tmp_path):
    """``mim test --launcher slurm``; nothing but mmrdn ends the other."""
    write_script(tmp_path / 'srun', SRUN.format(python=sys.executable))
    write_script(tmp_path / 'scontrol', '#!/bin/sh\necho "$3" >> "$0.asked"; echo 127.0.0.1\n')
    coco = json.loads((digits / 'annotations' / 'moving_digits_val.json').read_text())
    last = coco['images'][-1]
    last['file_name'] = 'not/there.JPEG'
    ann_file = tmp_path / 'broken.json'
    ann_file.write_text(json.dumps(coco))
    config = write_config(tmp_path / 'tiny.py', digits, f"test_dataloader['dataset'].update(ann_file='{ann_file}')\n")
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'mim',
            'test',
            'mmrdn',
            config,
            '--checkpoint',
            trained / 'iter_8.pth',
            '--launcher',
            'slurm',
            '--gpus',
            '2',
            '--gpus-per-node',
            '2',
            '--partition',
            'any',
            '--srun-args=--job-name=test',
            '--port',
            str(free_port()),
            '--work-dir',
            tmp_path / 'work',
        ],
        env=dict(tool_env(), PATH=f'{tmp_path}:{os.environ["PATH"]}'),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode != 0
    assert 'statuses [1, 1]' in done.stdout
    assert (tmp_path / 'scontrol.asked').read_text() == 'node[1-2]\n' * 2
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith('error: ')]
    path = digits / 'Data' / 'VID' / 'not' / 'there.JPEG'
    assert len(errors) == 2
    assert re.fullmatch(f'error: rank 1 of 2: .*{path}.*', errors[0])
    assert errors[1] == ('error: rank 0 of 2 ends: rank 1 failed: ' + errors[0].removeprefix('error: rank 1 of 2: '))
    # The traceback of rank 1, and no other of ours.
    ours = lines[: lines.index(errors[1])]
    assert ours.count('Traceback (most recent call last):') == 1
    assert any('in run_iter' in line or 'in __getitem__' in line for line in ours)


def test_a_rank_is_killed_in_training(digits, tmp_path):
    """Through ``dist_train.sh``: torchrun says who it was."""
    path = tmp_path / 'time'
    (tmp_path / 'killed.py').write_text(KILLED.format(path=str(path)))
    config = write_config(
        tmp_path / 'tiny.py',
        digits,
        "custom_imports = dict(imports=['killed'])\ncustom_hooks = [dict(type='KilledHook')]\n",
    )
    env = tool_env()
    done = subprocess.run(
        ['bash', str(ROOT / 'tools' / 'dist_train.sh'), str(config), '2', '--work-dir', str(tmp_path / 'work')],
        env=dict(env, PYTHON=sys.executable, PORT=str(free_port()), PYTHONPATH=f'{tmp_path}:{env["PYTHONPATH"]}'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    seconds = time.time() - float(path.read_text())
    assert done.returncode != 0 and seconds < 60, seconds
    report = done.stderr[done.stderr.index('Root Cause') :]
    assert 'rank      : 1 (local_rank: 1)' in report
    assert 'Signal 9 (SIGKILL)' in report
    assert 'Iter(train) [2/8]' in done.stdout
    assert 'Iter(train) [3/8]' not in done.stdout
