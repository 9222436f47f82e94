# Copyright (c) mmrdn contributors. All rights reserved.
"""Weights that are stored in half of the bytes."""

import numpy as np
import torch

from helpers.exported import need_onnx

need_onnx()

import onnxruntime  # noqa: E402

from mmrdn.export.onnx_graph import save_onnx, to_onnx  # noqa: E402


def test_fp16_stores_weights_in_half_of_the_bytes(tmp_path):
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 96)
    layer.weight.data[0, 0] = 1e6  # beyond fp16
    inputs = (torch.randn(3, 64),)
    for fp16 in (False, True):
        save_onnx(to_onnx(layer, inputs, (('x',), 'y'), 'layer'), tmp_path / f'{fp16}.onnx', fp16)
    sizes = [(tmp_path / f'{fp16}.onnx').stat().st_size for fp16 in (False, True)]
    assert 64 * 96 * 2 <= sizes[1] < sizes[0] - 64 * 96 * 2 + 500
    found = onnxruntime.InferenceSession(tmp_path / 'True.onnx').run(None, dict(x=inputs[0].numpy()))[0]
    weight = layer.weight.detach().numpy().clip(-65504, 65504).astype(np.float16).astype(np.float32)
    expected = inputs[0].numpy() @ weight.T + layer.bias.detach().numpy()  # the bias is too short to count
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
