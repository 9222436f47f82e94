# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from mmengine.config import Config

from helpers.converters import COCO
from mmrdn.model_converters import read_source

KEYS = ('backbone.conv1.weight', 'rpn_head.rpn_cls.bias', 'roi_head.bbox_head.fc_cls.bias')
TEXT = """model = dict(
    data_preprocessor=dict(mean=[1., 2., 3.], bgr_to_rgb=True),
    backbone=dict(style='caffe'), rpn_head=dict(), roi_head=dict())
"""
OLD = """img_norm_cfg = dict(mean=[1., 2., 3.], std=[4., 5., 6.], to_rgb=False)
model = dict(backbone=dict(), rpn_head=dict(), roi_head=dict())
"""


def written(path, keys=KEYS, **meta):
    torch.save(dict(meta=meta, state_dict={key: torch.ones(2) for key in keys}), path)
    return str(path)


def test_mmdet_3(tmp_path):
    source = read_source(written(tmp_path / 'x.pth', cfg=TEXT, dataset_meta=dict(classes=COCO)))
    assert source.name == 'x.pth' and source.classes == COCO
    assert source.detector['backbone'] == dict(style='caffe')
    assert source.data_preprocessor == dict(mean=[1.0, 2.0, 3.0], bgr_to_rgb=True)
    assert source.keys == {key: key for key in KEYS}


def test_mmdet_2_and_a_wrapper(tmp_path):
    source = read_source(written(tmp_path / 'x.pth', [f'module.{key}' for key in KEYS], config=OLD, CLASSES=['a', 'b']))
    assert source.classes == ('a', 'b')
    assert source.data_preprocessor == dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=False)
    assert set(source.state) == set(KEYS)


def test_what_the_user_says_goes_first(tmp_path):
    path = written(tmp_path / 'x.pth', cfg=TEXT, CLASSES=['a'])
    config = Config(
        dict(model=dict(data_preprocessor=dict(mean=[0, 1, 2]), backbone=dict(), rpn_head=dict(), roi_head=dict()))
    )
    source = read_source(path, config, ['b', 'c'])
    assert source.data_preprocessor['mean'] == [0, 1, 2]
    assert source.classes == ('b', 'c')


@pytest.mark.parametrize(
    'meta, reason',
    [
        (dict(), 'no "model"'),
        (dict(cfg='model = dict(backbone=dict(), rpn_head=dict())'), 'no "roi_head" in its model'),
        (dict(cfg=OLD.splitlines()[1]), 'neither "data_preprocessor" nor "img_norm_cfg"'),
    ],
)
def test_a_checkpoint_that_says_too_little(meta, reason, tmp_path):
    with pytest.raises(ValueError) as error:
        read_source(written(tmp_path / 'x.pth', **meta))
    assert str(error.value) == (
        f'x.pth lacks a description of its detector ({reason}): name its config by --source-config'
    )


@pytest.mark.parametrize(
    'keys',
    [
        ['conv1.weight', 'layer1.0.conv1.weight'],
        ['backbone.body.stem.conv1.weight', 'roi_heads.box.predictor.bias'],
        ['backbone.conv1.weight', 'rpn_head.rpn_cls.bias', 'bbox_head.fc_cls.bias'],
    ],
)
def test_other_networks(keys, tmp_path):
    with pytest.raises(ValueError) as error:
        read_source(written(tmp_path / 'x.pth', keys))
    assert str(error.value) == (
        'x.pth is no Faster R-CNN: expected the entries of mmdet >= 2.0 '
        '(backbone.*, rpn_head.*, roi_head.bbox_head.*) or torchvision '
        '(backbone.body.*, rpn.head.*, roi_heads.box_predictor.*), the first '
        f'one is {keys[0]}'
    )


@pytest.mark.parametrize(
    'value, message',
    [(torch.tensor([1.0, float('nan')]), 'holds NaN or infinite numbers'), (3, 'is a int, expected a tensor')],
)
def test_entries_that_are_no_weights(value, message, tmp_path):
    torch.save({KEYS[0]: value}, tmp_path / 'x.pth')
    with pytest.raises(ValueError) as error:
        read_source(tmp_path / 'x.pth')
    assert str(error.value) == f'{KEYS[0]} of x.pth {message}'


def test_training_script_of_torchvision(tmp_path):
    """It keeps the entries under "model"."""
    state = {
        f'{key}bias': torch.ones(8)
        for key in ('backbone.body.bn1.', 'rpn.head.cls_logits.', 'roi_heads.box_predictor.bbox_pred.')
    }
    torch.save(dict(model=state, epoch=3), tmp_path / 'x.pth')
    source = read_source(tmp_path / 'x.pth')
    assert {key: len(value) for key, value in source.state.items()} == {
        'backbone.bn1.bias': 8,
        'rpn_head.rpn_cls.bias': 8,
        'roi_head.bbox_head.fc_reg.bias': 4,  # less background's
    }
