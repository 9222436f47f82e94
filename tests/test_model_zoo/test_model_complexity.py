# Copyright (c) mmrdn contributors. All rights reserved.
"""Against FLOPs that hooks on the layers and formulas give."""

import numpy as np
import pytest
import torch
import torch.nn as nn

from helpers.configs import ROOT
from mmrdn.apis import VideoInferencer, load_config
from mmrdn.apis.model_loading import build_model
from mmrdn.model_zoo.model_complexity import count_complexity

# Of the tiny config.
N, K, T, C, HEADS, CLASSES = 16, 6, 2, 32, 4, 10
POOL = (2 * T + 1) * K
ADVANCED = POOL // 5  # r = 20%


def of_layers(cfg, frame):
    """Multiplications of convolutions, and numbers that normalization sees, in
    a single-frame detector."""
    cfg.model.neck = None
    model = build_model(cfg).eval()
    counts = dict(conv=0, norm=0)

    def count(layer, inputs, output):
        if isinstance(layer, nn.Conv2d):
            height, width = layer.kernel_size
            counts['conv'] += output.numel() * height * width * (layer.in_channels // layer.groups)
        else:
            counts['norm'] += output.numel()

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)):
            layer.register_forward_hook(count)
    inferencer = VideoInferencer(cfg, model=model, device='cpu')
    assert len(list(inferencer.stream([frame]))) == 1
    return counts


def relation(num, supports):
    """Products of queries, keys, values, weights and half of the geometry."""
    projections = (num + 2 * supports) * C * C
    return projections + 2 * num * supports * C + num * supports * HEADS * 32


@pytest.fixture
def cfg(tiny_config):
    return load_config(str(tiny_config))


@pytest.mark.slow
@pytest.mark.parametrize(
    'size, input_size',
    [
        ((160, 128), (160, 128)),
        ((320, 200), (160, 112)),  # 160 x 100, padded to a multiple of 16
    ],
)
def test_flops_of_rdn(cfg, size, input_size):
    found = count_complexity(cfg, size)
    layers = of_layers(cfg, np.zeros((*size[::-1], 3), np.uint8))
    head = N * 16 * 3 * 3 * C + N * C * (CLASSES + 1 + 4)  # class-agnostic
    relations = 2 * relation(N, POOL) + N * C * C  # Eq. 3-4
    relations += relation(ADVANCED, POOL) + relation(N, ADVANCED)  # Eq. 6, 7
    # mmengine counts batch normalization as 2, scale and shift.
    expected = layers['conv'] + 2 * layers['norm'] + head + relations
    assert found.flops == expected
    assert found.input_size == input_size
    assert found.pool_frames == 2 * T + 1


@pytest.mark.slow
def test_a_single_frame_has_no_pool(cfg):
    parameters = sum(p.numel() for p in build_model(cfg).neck.parameters())
    full = count_complexity(cfg, (160, 128))
    cfg.model.neck = None
    single = count_complexity(cfg, (160, 128))
    assert single.pool_frames == 0
    assert full.parameters - single.parameters == parameters
    relations = 2 * relation(N, POOL) + N * C * C
    relations += relation(ADVANCED, POOL) + relation(N, ADVANCED)
    assert full.flops - single.flops == relations


@pytest.mark.slow
def test_weights_and_chance_do_not_matter(cfg):
    torch.manual_seed(1)
    first = count_complexity(cfg)
    torch.manual_seed(2)
    assert count_complexity(cfg) == first


def test_of_other_detectors_parameters_alone():
    path = 'configs/selsa/selsa-tubes_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'
    cfg = load_config(str(ROOT / path))
    with torch.device('meta'):
        expected = sum(p.numel() for p in build_model(cfg).parameters())
        assert count_complexity(cfg) == (expected, None, None, None)


@pytest.mark.slow
def test_bad_frames(cfg):
    with pytest.raises(ValueError) as error:
        count_complexity(cfg, (0, 10))
    assert str(error.value) == 'the size of a frame must be positive, got 0x10'
