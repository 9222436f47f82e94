# Copyright (c) mmrdn contributors. All rights reserved.
"""What cannot be exported says so before anything is written."""

import pytest
import torch
from torch.torch_version import TorchVersion

from helpers.rdn import cascade_config, model_config, temporal_config, tiny_model
from helpers.videos import tiny_inferencer
from mmrdn.export.onnx_directory import export_onnx
from mmrdn.export.onnx_graph import to_onnx


def soft_nms():
    config = model_config()
    config.detector.test_cfg.rcnn.nms = dict(type='soft_nms', iou_threshold=0.5)
    return config


def swin(depths=(2, 2), strides=(4, 2), **kwargs):
    config = model_config()
    config.detector.backbone = dict(
        type='SwinTransformer',
        embed_dims=16,
        depths=depths,
        num_heads=[1] * len(depths),
        strides=strides,
        out_indices=(1,),
        **kwargs,
    )
    return config


def bad_cascade():
    config = cascade_config()
    config.detector.roi_head.bbox_head[1].bbox_coder.type = 'LegacyDeltaXYWHBBoxCoder'
    return config


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (bad_cascade, 'bbox_coder LegacyDeltaXYWHBBoxCoder of bbox_head 1, expected DeltaXYWHBBoxCoder that clips'),
        (temporal_config, 'model TemporalRDN, expected RDN'),
        (lambda: model_config(window=dict(type='mmrdn.RepeatedFrameWindow')), 'expected SlidingWindow'),
        (
            lambda: swin((1, 1, 1, 1), (4, 2, 2, 2)),
            'model.data_preprocessor.pad_size_divisor 16, expected a multiple of the stride 32 of Swin',
        ),
        (lambda: swin(strides=(4, 1)), 'strides [1] after the first, expected 2'),
        (lambda: swin(use_abs_pos_embed=True), 'with use_abs_pos_embed, which needs images of one size'),
        (soft_nms, "test_cfg.rcnn.nms {'type': 'soft_nms'"),
    ],
)
def test_model(make, message, tmp_path):
    model = tiny_model(make())
    inferencer = tiny_inferencer()
    model.data_preprocessor = inferencer.model.data_preprocessor
    with pytest.raises(ValueError, match='^this model cannot be exported: ') as error:
        export_onnx(inferencer.cfg, out=tmp_path / 'out', model=model)
    assert message in str(error.value) and '\n' not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('transform', 'message'),
    [
        (dict(type='mmdet.RandomFlip', prob=0.0), 'must load, Resize once and pack, got LoadFrame, .*RandomFlip'),
        (dict(type='mmdet.Resize', scale=(64, 64)), 'must load, Resize once and pack'),
    ],
)
def test_pipeline(transform, message, tmp_path):
    inferencer = tiny_inferencer()
    inferencer.cfg.test_dataloader.dataset.pipeline.insert(2, transform)
    with pytest.raises(ValueError, match=message):
        export_onnx(inferencer.cfg, out=tmp_path / 'out', model=inferencer.model)
    assert not list(tmp_path.iterdir())


def test_size_and_directory(tmp_path):
    inferencer = tiny_inferencer()
    with pytest.raises(ValueError, match='size must be HxW in pixels, such as 600x1000, got 600'):
        export_onnx(inferencer.cfg, out=tmp_path / 'out', model=inferencer.model, sizes=['600'])
    (tmp_path / 'mine').mkdir()
    with pytest.raises(FileExistsError, match='is there already'):
        export_onnx(inferencer.cfg, out=tmp_path / 'mine', model=inferencer.model)
    with pytest.raises(FileExistsError, match='is no directory of an exported model'):
        export_onnx(inferencer.cfg, out=tmp_path / 'mine', model=inferencer.model, overwrite=True)


def test_an_old_torch(monkeypatch):
    monkeypatch.setattr(torch, '__version__', TorchVersion('2.4.1+cpu'))
    with pytest.raises(ValueError, match=r'^export needs torch 2.6 or later, this is 2.4.1\+cpu$'):
        to_onnx(torch.nn.ReLU(), (torch.ones(1),), (('x',), 'y'), 'relu')
