# Copyright (c) mmrdn contributors. All rights reserved.
"""Weights that are stored in fewer bytes."""

import numpy as np
import torch

from helpers.exported import need_onnx

need_onnx()

import onnxruntime  # noqa: E402

from mmrdn.export.onnx_graph import save_onnx, to_onnx  # noqa: E402
from mmrdn.export.weight_storage import halve_weights, round_weights  # noqa: E402


def test_fp16_stores_weights_in_half_of_the_bytes(tmp_path):
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 96)
    layer.weight.data[0, 0] = 1e6  # beyond fp16
    inputs = (torch.randn(3, 64),)
    paths = [tmp_path / 'fp32.onnx', tmp_path / 'fp16.onnx']
    for path, shrink in zip(paths, (None, halve_weights)):
        save_onnx(to_onnx(layer, inputs, (('x',), 'y'), 'layer'), path, shrink)
    sizes = [path.stat().st_size for path in paths]
    assert 64 * 96 * 2 <= sizes[1] < sizes[0] - 64 * 96 * 2 + 500
    found = onnxruntime.InferenceSession(paths[1]).run(None, dict(x=inputs[0].numpy()))[0]
    weight = layer.weight.detach().numpy().clip(-65504, 65504).astype(np.float16).astype(np.float32)
    expected = inputs[0].numpy() @ weight.T + layer.bias.detach().numpy()  # the bias is too short to count
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


class Layers(torch.nn.Module):
    """Weights whose output channels are the first axis, twice, and the last one. One channel has none."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(96, 96, 3)  # 82,944 values
        self.conv.weight.data[5] = 0
        self.linear = torch.nn.Linear(96, 700)  # 67,200
        self.matrix = torch.nn.Parameter(torch.randn(700, 100))  # 70,000
        self.small = torch.nn.Parameter(torch.randn(100, 50))

    def forward(self, x):
        return self.linear(self.conv(x).mean((2, 3))) @ self.matrix @ self.small


def rounded(weight, axes):
    """In 127 steps of the largest value along some axes."""
    step = np.abs(weight).max(axis=axes, keepdims=True) / 127
    return np.round(weight / np.where(step == 0, 1, step)) * step


def test_int8_stores_large_matrices_in_a_quarter_of_the_bytes(tmp_path):
    torch.manual_seed(0)
    layers, path = Layers(), tmp_path / 'int8.onnx'
    image = torch.randn(2, 96, 5, 6)
    save_onnx(to_onnx(layers, (image,), (('x',), 'y'), 'layers'), path, round_weights)
    num = 82944 + 67200 + 70000
    assert num + 5000 * 2 < path.stat().st_size < num + 5000 * 2 + 20000
    arrays = {name: value.numpy().astype(np.float64) for name, value in layers.state_dict().items()}
    found = onnxruntime.InferenceSession(path).run(None, dict(x=image.numpy()))[0]
    kernel = rounded(arrays['conv.weight'], (1, 2, 3))
    windows = np.lib.stride_tricks.sliding_window_view(image.numpy(), (3, 3), axis=(2, 3))
    maps = np.einsum('bchwij,ocij->bohw', windows, kernel) + arrays['conv.bias'][:, None, None]
    linear = maps.mean((2, 3)) @ rounded(arrays['linear.weight'], 1).T + arrays['linear.bias']
    half = arrays['small'].astype(np.float16).astype(np.float64)
    expected = linear @ rounded(arrays['matrix'], 0) @ half
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    exact = layers(image).detach().numpy()
    assert 1e-3 < np.abs(found - exact).max() / np.abs(exact).max() < 0.05


def test_scales_of_many_channels_stay_exact(tmp_path):
    """In fp16, whose smallest step is 6e-8, scales of 1e-5 / 127 would be 24% off."""
    torch.manual_seed(0)
    layer, path, inputs = torch.nn.Linear(64, 1024, bias=False), tmp_path / 'int8.onnx', torch.randn(3, 64)
    layer.weight.data *= 1e-5 / layer.weight.data.abs().max()
    save_onnx(to_onnx(layer, (inputs,), (('x',), 'y'), 'layer'), path, round_weights)
    found = onnxruntime.InferenceSession(path).run(None, dict(x=inputs.numpy()))[0]
    expected = inputs.numpy() @ rounded(layer.weight.detach().numpy().astype(np.float64), 1).T
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_notes_of_the_exporter_are_not_written(tmp_path):
    """They have paths of the machine."""
    save_onnx(to_onnx(torch.nn.Linear(3, 2), (torch.randn(1, 3),), (('x',), 'y'), 'layer'), tmp_path / 'a.onnx')
    assert b'.py' not in (tmp_path / 'a.onnx').read_bytes()
