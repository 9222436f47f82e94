# Copyright (c) mmrdn contributors. All rights reserved.
import sys
from types import SimpleNamespace

import pytest
import torch

from mmrdn.benchmarks import operators
from mmrdn.ops import mmcv_ext


@pytest.fixture
def extension(monkeypatch):
    """Let another extension module be the compiled one, on small feature maps."""
    monkeypatch.setattr(operators, 'FEATURES', (2, 38, 63))

    def put(**changes):
        names = ('roi_align_forward', 'roi_align_backward', 'nms')
        fake = SimpleNamespace(**{name: getattr(mmcv_ext, name) for name in names} | changes)
        monkeypatch.setitem(sys.modules, 'mmcv._ext', fake)

    return put


@pytest.mark.slow
def test_both_take_turns_on_the_same_inputs(extension):
    calls = []

    def nms(*args, **kwargs):
        calls.append(args)
        return mmcv_ext.nms(*args, **kwargs)

    extension(nms=nms)
    rows = operators.time_operators(repeats=2, quick=True)
    tasks = ['RoIAlign, 300 x 2048 x 38x63', 'RoIAlign, forward and backward', 'NMS, 6000 boxes']
    assert list(rows) == [f'{task}, {name}' for task in tasks for name in ('ours', 'compiled')]
    assert all(row['median'] > 0 and row['repeats'] == 2 for row in rows.values())
    assert len(calls) == 4  # once to compare, once to warm up, twice for the clock


def test_a_wrong_operator_is_not_timed(extension):
    extension(nms=lambda boxes, scores, **_: torch.arange(3))
    with pytest.raises((ValueError, RuntimeError)):
        operators.time_operators(repeats=1, quick=True)


def test_ours_alone_where_mmcv_is_not_compiled(extension, monkeypatch):
    extension()
    monkeypatch.setitem(sys.modules, 'mmcv._ext', mmcv_ext)
    rows = operators.time_operators(repeats=1, quick=True)
    assert len(rows) == 4 and 'OPS=compiled' in rows['note']


@pytest.mark.slow
def test_steps_of_selsa_are_the_same_each_time():
    step = operators.selsa_step(seed=0)
    first = step()
    assert first > 0 and step() == first
