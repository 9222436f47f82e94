# Copyright (c) mmrdn contributors. All rights reserved.
"""The benchmark of exported detectors on small ones."""

import copy

import numpy as np
import pytest

from helpers.exported import need_onnx
from helpers.videos import noise, tiny_inferencer
from mmrdn.benchmarks.exported import make_contenders

need_onnx()
pytestmark = pytest.mark.slow


def test_windows_are_full(tmp_path):
    """T = 2: after five strips, the first result is that of frame 3, a strip, and the third that of frame 5."""
    pytest.importorskip('openvino', reason='openvino is not installed (mmrdn-runtime[openvino])')
    related = tiny_inferencer().cfg
    single = copy.deepcopy(related)
    single.model.update(neck=None, temporal_range=0)
    single.model.pop('recorders', None)
    contenders = make_contenders(single, related, noise(1, (72, 96))[0], tmp_path, seed=0)
    assert list(contenders) == [
        'PyTorch single',
        'PyTorch RDN',
        'ONNX Runtime single',
        'ONNX Runtime RDN',
        'ONNX Runtime RDN int8',
        'OpenVINO RDN f32',
        'OpenVINO RDN bf16',
    ]
    for name, take_frame in contenders.items():
        results = [take_frame() for _ in range(3)]
        if 'PyTorch' in name:
            continue
        first = 0 if 'single' in name else 3
        assert [[found.frame_id for found in each] for each in results] == [[first], [first + 1], [first + 2]]
        heights = [each[0].height for each in results]
        assert heights == ([72] * 3 if 'single' in name else [6, 6, 72])
    runs = [contenders[name]()[0] for name in ('ONNX Runtime RDN', 'OpenVINO RDN f32')]
    np.testing.assert_allclose(runs[0].scores, runs[1].scores, atol=1e-3)
