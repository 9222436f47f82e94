# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from mmengine.config import Config

from mmrdn.apis import VideoInferencer
from mmrdn.apis.model_loading import class_names
from mmrdn.fileio.checkpoint import load_checkpoint_file


@pytest.fixture
def checkpoint_of(trained, tmp_path):
    """The trained checkpoint with changes."""

    def make(**changes):
        loaded = load_checkpoint_file(trained / 'iter_8.pth')
        kept = dict(state_dict=loaded['state_dict'], meta=loaded['meta'])
        for key, value in changes.items():
            if key == 'state_dict':
                kept['state_dict'].update(value)
            else:
                kept[key] = value
        torch.save(kept, tmp_path / 'x.pth')
        return str(tmp_path / 'x.pth')

    return make


def test_nan_weights(checkpoint_of, tiny_config):
    name = 'neck.basic.0.query_proj.weight'
    for value in (float('nan'), float('-inf')):
        weights = torch.zeros(32, 32)
        weights[3, 4] = value
        path = checkpoint_of(state_dict={name: weights})
        with pytest.raises(ValueError, match=f'{path}: {name} of the checkpoint holds NaN or inf'):
            VideoInferencer(str(tiny_config), path, 'cpu')


def test_every_parameter_and_none_left_over(checkpoint_of, tiny_config):
    path = checkpoint_of(state_dict={'more.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='the first is more.weight'):
        VideoInferencer(str(tiny_config), path, 'cpu')
    loaded = torch.load(path)
    del loaded['state_dict']['more.weight']
    del loaded['state_dict']['neck.basic.0.query_proj.weight']
    torch.save(loaded, path)
    with pytest.raises(ValueError, match='it lacks 1 of'):
        VideoInferencer(str(tiny_config), path, 'cpu')


def test_weights_are_those_of_the_checkpoint(checkpoint_of, tiny_config):
    """Also under the names that data parallel wrappers give them."""
    path = checkpoint_of()
    loaded = torch.load(path)
    torch.save({'state_dict': {f'module.{k}': v for k, v in loaded['state_dict'].items()}}, path)
    inferencer = VideoInferencer(str(tiny_config), path, 'cpu')
    state = inferencer.model.state_dict()
    assert state.keys() == loaded['state_dict'].keys()
    for key, value in state.items():
        assert torch.equal(value, loaded['state_dict'][key])
    assert not inferencer.model.training


class Foreign:
    pass


def test_what_would_have_to_be_unpickled(checkpoint_of, tiny_config):
    path = checkpoint_of(extra=Foreign())
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        VideoInferencer(str(tiny_config), path, 'cpu')
    VideoInferencer(str(tiny_config), path, 'cpu', trust_checkpoint=True)
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        load_checkpoint_file(path)  # trusted once, not from now on


@pytest.mark.parametrize(
    'classes, message',
    [
        (('cat', 'dog'), 'the checkpoint names 2 classes, .* has 10'),
        (tuple('0123456789'), 'of other classes than the config: class 0 is "0", expected "zero"'),
    ],
)
def test_classes_that_do_not_fit(classes, message, checkpoint_of, tiny_config):
    path = checkpoint_of(meta=dict(dataset_meta=dict(classes=classes)))
    with pytest.raises(ValueError, match=f'{path}: .*{message}'):
        VideoInferencer(str(tiny_config), path, 'cpu')


def test_no_weights(tiny_config):
    with pytest.raises(ValueError, match=f'no checkpoint given, and {tiny_config} has no published'):
        VideoInferencer(str(tiny_config), device='cpu')
    with pytest.raises(ValueError, match='given, and the config has no publ'):
        VideoInferencer(Config.fromfile(tiny_config), device='cpu')


def test_published_weights(tiny_config, checkpoint_of, monkeypatch):
    from mmrdn.apis import model_loading
    from mmrdn.apis.config_files import ZooModel

    path = checkpoint_of()
    monkeypatch.setattr(model_loading, 'find_model', lambda name: ZooModel(str(tiny_config), path))
    inferencer = VideoInferencer('tiny', device='cpu')
    name = 'neck.basic.0.query_proj.weight'
    assert torch.equal(inferencer.model.state_dict()[name], torch.load(path)['state_dict'][name])


@pytest.mark.parametrize(
    'meta, dataset, expected',
    [
        (dict(classes=['a', 'b']), dict(), ('a', 'b')),
        (dict(CLASSES=('a', 'b')), dict(metainfo=dict(classes=('a', 'b'))), ('a', 'b')),
        (None, dict(metainfo=dict(CLASSES=('a', 'b'))), ('a', 'b')),
        (None, dict(), ('class 0', 'class 1')),
        (None, dict(metainfo=dict(classes='ab')), 'config names 1 classes'),
        (None, dict(type='MovingDigitsDataset'), 'config names 10 classes'),
        (
            None,
            dict(type='ConcatDataset', datasets=[dict(type='VideoDetDataset', metainfo=dict(classes=('c', 'd')))]),
            ('c', 'd'),
        ),
    ],
)
def test_who_knows_the_classes(meta, dataset, expected):
    dataset = Config(dict(a=dict(dict(type='VideoDetDataset'), **dataset))).a
    checkpoint = dict(meta=dict(dataset_meta=meta)) if meta else {}
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            class_names(2, dataset, checkpoint)
    else:
        assert class_names(2, dataset, checkpoint) == expected
