# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest
import torch

from helpers.tools import run_tool
from mmrdn.benchmarks import relation
from mmrdn.benchmarks.relation import Setting, random_proposals, saved_bytes, time_attention, time_relation
from mmrdn.benchmarks.report import plot, speedup
from mmrdn.benchmarks.video import time_streams
from mmrdn.setup_env import register_all_modules

SMALL = Setting(temporal_range=1, num_support=10)


def test_sizes_of_the_paper():
    assert Setting().pool == 37 * 75 and Setting().advanced == 555


@pytest.mark.slow
def test_relation_of_a_small_pool():
    row = time_relation(SMALL, repeats=3, num=20)
    for name in ('baseline', 'forward', 'memory'):
        assert 0 < row[name]['min'] <= row[name]['median'] <= row[name]['max']
        assert row[name]['repeats'] == 3
    assert speedup(row) == row['baseline']['median'] / row['memory']['median']
    # Keys and values of three modules and the features, 30 supports each.
    assert row['state_bytes'] > 7 * 30 * 1024 * 4


def test_what_computes_something_else_is_not_timed(monkeypatch):
    monkeypatch.setattr(relation, 'baseline_of', lambda aggregator: lambda *args: args[0] + 1)
    with pytest.raises(ValueError, match='the memory differs'):
        time_relation(SMALL, repeats=1, num=20)


@pytest.mark.slow
def test_what_needs_too_much_memory_is_left_out(monkeypatch):
    monkeypatch.setattr(relation, '_MOST_BYTES', 0)
    row = time_relation(SMALL, repeats=1, num=20)
    assert row['baseline'] is None and speedup(row) is None
    assert row['memory']['median'] > 0


def test_saved_bytes_by_hand():
    x = torch.ones(10, requires_grad=True)
    y = torch.ones(4, requires_grad=True)
    assert saved_bytes(lambda: (x * x).sum()) == 40  # x, once
    assert saved_bytes(lambda: (x.sum() * 2, y.exp())) == 16  # exp(y)


def test_proposals_lie_in_the_frame():
    feats, boxes, scores = random_proposals(50)
    assert feats.shape == (50, 1024) and scores.shape == (50,)
    assert (boxes[:, 2:] - boxes[:, :2] >= 3.9).all()
    assert (boxes[:, 2] <= 1000).all() and (boxes[:, 3] <= 600).all()


def test_attention_is_timed_in_testing_and_in_training():
    rows = time_attention(repeats=1, sizes=((9, 490, False), (5, 7, True)))
    sizes = ('9 x 490', '5 x 7', '5 x 7, with backward')
    assert set(rows) == {f'{run}, {size}' for run in ('ours', 'fused') for size in sizes}
    assert all(row['median'] > 0 for row in rows.values())


@pytest.mark.slow
def test_streams_count_all_frames():
    register_all_modules(init_default_scope=True)
    rows = time_streams(repeats=1, frames=1)
    assert list(rows) == ['1', '4', '16']
    for row in rows.values():
        assert row['frames_per_second'] * row['median'] == pytest.approx(1)


@pytest.mark.slow
def test_the_command(run_main, tmp_path):
    """Results are kept, and earlier ones are not overwritten."""
    command = (
        'analysis_tools/benchmark.py',
        '--out',
        tmp_path,
        '--parts',
        'training',
        'cuda',
        '--repeats',
        '1',
        '--seed',
        '3',
    )
    assert 'training: ms, median' in run_tool(*command).stdout
    results = json.loads((tmp_path / 'benchmark.json').read_text())
    assert results['seed'] == 3 and '--parts training' in results['command']
    assert results['machine']['torch'] == torch.__version__
    rows = results['training']
    assert rows['forward']['saved_bytes'] < rows['baseline']['saved_bytes']
    status, _, err = run_main(*command)
    assert status == 1 and '--overwrite' in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_plot_leaves_out_what_was_not_measured(tmp_path):
    times = dict(median=1.0, min=1.0, max=1.0)
    rows = [
        dict(Setting(percent=percent)._asdict(), baseline=None if percent > 20 else times, forward=times, memory=times)
        for percent in (10, 20, 40)
    ]
    results = dict(relation=dict(rows=rows), machine=dict(cpu='any', threads=1))
    plot(results, tmp_path / 'plot.png')
    assert (tmp_path / 'plot.png').read_bytes()[:4] == b'\x89PNG'
