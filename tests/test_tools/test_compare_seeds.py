# Copyright (c) mmrdn contributors. All rights reserved.
"""Trainings and tests of a tiny detector by the command that compares with several seeds."""

import json
import re
import statistics
from pathlib import Path

import pytest
from mmengine.config import Config

from helpers.tools import call_tool
from mmrdn.comparison import detector_run

SEEDS = (3, 4)
# Detectors of a few iterations find something at a low threshold.
OPTIONS = ['--cfg-options', 'train_cfg.max_iters=4', 'test_evaluator.iou_thr=0.05']


@pytest.fixture
def commands(monkeypatch):
    """Commands that were run: here, in this process, which has imported everything."""
    ran = []

    def run(now, _):
        for command in now:
            ran.append(Path(command.words[1]).name)
            call_tool(ran[-1], *command.words[2:])
        return [0.5] * len(now)

    monkeypatch.setattr(detector_run, 'run_with_progress', run)
    return ran


@pytest.mark.slow
def test_two_seeds_of_a_detector(tiny_config, commands, run_main, tmp_path):
    """Each seed reaches its training; mean and spread are those of what the tests logged; nothing is done twice."""
    args = [str(tiny_config), '--work-dir', str(tmp_path), '--seeds', *map(str, SEEDS), *OPTIONS]
    status, _, stderr = run_main('analysis_tools/compare_seeds.py', *args)
    assert status == 0, stderr
    found = []
    for seed in SEEDS:
        directory = tmp_path / f'seed{seed}' / 'tiny'
        assert (directory / 'iter_4.pth').exists()
        (config,) = directory.glob('*/vis_data/config.py')
        assert Config.fromfile(config).randomness.seed == seed
        (log,) = directory.glob('test/*/*.json')
        found.append(100 * json.loads(log.read_text())['vid/mAP50'])
    assert len(set(found)) == 2 and min(found) > 0
    ((mean, spread),) = re.findall(r'(?m)^\| tiny \| ([\d.]+) ± ([\d.]+) \|', (tmp_path / 'tables.md').read_text())
    assert float(mean) == pytest.approx(statistics.mean(found), abs=0.051)
    assert float(spread) == pytest.approx(statistics.stdev(found), abs=0.051)
    content = (tmp_path / 'tables.json').read_text()
    status, stdout, _ = run_main('analysis_tools/compare_seeds.py', *args)
    assert status == 0 and stdout.count('already done') == 2
    assert commands == ['train.py', 'test.py'] * 2
    assert (tmp_path / 'tables.json').read_text() == content
