# Copyright (c) mmrdn contributors. All rights reserved.
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from mmrdn.ops import roi_align_cuda
from mmrdn.ops.kernels import run_in_ranges


@pytest.mark.parametrize(('num', 'grain', 'parts'), [(10, 1, 3), (10, 5, 2), (10, 6, 1), (0, 1, 1), (2, 1, 2)])
def test_ranges_cover_all_once(num, grain, parts):
    spans, before = [], torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        run_in_ranges(lambda first, last: spans.append((first, last)), num, grain)
    finally:
        torch.set_num_threads(before)
    assert len(spans) == parts
    assert [i for first, last in sorted(spans) for i in range(first, last)] == list(range(num))


@pytest.mark.slow
def test_a_thread_may_outlive_the_main_one():
    code = """
import threading, time, torch
from mmrdn.ops import roi_align
def late():
    threading.main_thread().join()
    torch.set_num_threads(2)
    rois = torch.tensor([[0.0, 0, 0, 4, 4]] * 20)
    print(roi_align(torch.ones(1, 1, 8, 8), rois, 2).sum().item())
threading.Thread(target=late).start()
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout == '80.0\n', done.stderr


@pytest.mark.parametrize(
    ('modules', 'expected'),
    [
        (dict(mmcv='12.6'), 'mmcv'),
        (dict(mmcv='not available'), 'torch'),  # built for CPUs, as the stand-in says of itself
        (dict(mmcv='not available', torchvision=True), 'torchvision'),
        (dict(torchvision=False), 'torch'),
        (dict(torchvision=RuntimeError('operator torchvision::roi_align does not exist')), 'torch'),
        (dict(mmcv=AttributeError('an old one'), torchvision=True), 'torchvision'),
    ],
)
def test_kernels_for_gpus(monkeypatch, modules, expected):
    def answer(value):
        if isinstance(value, Exception):
            raise value
        return value

    def load(name):
        if name.split('.')[0] not in modules:
            raise ImportError(name)
        return SimpleNamespace(get_compiling_cuda_version=lambda: answer(modules['mmcv']))

    monkeypatch.setattr(roi_align_cuda.importlib, 'import_module', load)
    monkeypatch.setattr(roi_align_cuda, 'has_kernel', lambda name, key: answer(modules['torchvision']))
    assert roi_align_cuda.kernels.__wrapped__()[0] == expected
