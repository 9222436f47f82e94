# Copyright (c) mmrdn contributors. All rights reserved.
"""The configs in configs/rdn_mega carry MEGA's conventions, and train."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from helpers import mega
from helpers.configs import MEGA, build, datasets, load
from helpers.mega import Layout
from helpers.rdn import training_batch
from mmrdn.apis.model_loading import build_model
from mmrdn.models import InclusiveDeltaXYWHBBoxCoder, InputScaleBBoxHead, LastMapReducer, RepeatedFrameWindow

RELATED = sorted(stem for stem in MEGA if not stem.startswith('single-frame'))
every_config = pytest.mark.parametrize('stem', sorted(MEGA))
every_related = pytest.mark.parametrize('stem', RELATED)


def depth_of(stem):
    return 50 if '_r50-' in stem else 101


@every_config
def test_input(stem):
    """BGR means, no division, no padding; 600 pixels, at most 1000."""
    assert load(MEGA[stem]).model.data_preprocessor == dict(
        type='TrackDataPreprocessor',
        mean=[102.9801, 115.9465, 122.7717],
        std=[1, 1, 1],
        bgr_to_rgb=False,
        pad_size_divisor=1,
    )
    for item in datasets(load(MEGA[stem])):
        pipeline = [*item.pipeline]
        pipeline += pipeline[0].get('transforms', [])
        (resize,) = [t for t in pipeline if 'Resize' in t.type]
        assert resize == dict(type='ShorterSideResize', shorter=600, longest=1000)


@every_config
def test_backbone(stem):
    model = build(MEGA[stem])
    backbone, depth = model.detector.backbone, depth_of(stem)
    stages = [getattr(backbone, f'layer{i}') for i in (1, 2, 3, 4)]
    assert [len(stage) for stage in stages] == [3, 4, 6 if depth == 50 else 23, 3]
    for stage, stride in zip(stages, (1, 2, 2, 1)):
        assert stage[0].conv1.stride == (stride, stride)  # in the 1x1
        assert stage[0].conv2.stride == (1, 1)
    for block in stages[3]:
        assert block.conv2.dilation == block.conv2.padding == (2, 2)
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.eps == 1e-5  # which the converter makes up for
            assert not any(p.requires_grad for p in module.parameters())
    frozen = [backbone.conv1, stages[0]]
    assert not any(p.requires_grad for m in frozen for p in m.parameters())
    assert stages[1][0].conv1.weight.requires_grad
    checkpoint = load(MEGA[stem]).model.detector.backbone.init_cfg.checkpoint
    assert checkpoint == f'open-mmlab://detectron2/resnet{depth}_caffe'


@pytest.mark.slow
@every_config
def test_heads(stem):
    model, cfg = build(MEGA[stem]), load(MEGA[stem]).model.detector
    image = torch.zeros(1, 3, 96, 160, device='meta')
    (conv4,), (conv5,) = model.feature_maps(image)
    channels = 256 if depth_of(stem) == 50 else 2048
    assert conv4.shape == (1, 1024, 6, 10)
    assert conv5.shape == (1, channels, 6, 10)
    assert isinstance(getattr(model.detector, 'neck', None), LastMapReducer) == (channels == 256)
    rpn, head = model.detector.rpn_head, model.detector.roi_head.bbox_head
    assert type(head) is InputScaleBBoxHead
    for coder, stds in ((rpn.bbox_coder, [1, 1, 1, 1]), (head.bbox_coder, [0.1, 0.1, 0.2, 0.2])):
        assert type(coder) is InclusiveDeltaXYWHBBoxCoder
        assert list(coder.stds) == stds and list(coder.means) == [0, 0, 0, 0]
    assert rpn.prior_generator.base_anchors[0].tolist() == mega.anchors().tolist()
    for settings in (cfg.train_cfg.rpn_proposal, cfg.test_cfg.rpn):
        assert settings == dict(
            nms_pre=6000, max_per_img=300, min_bbox_size=-1, nms=dict(type='nms', iou_threshold=0.7, offset=1)
        )
    assert cfg.test_cfg.rcnn == dict(
        score_thr=0.001, max_per_img=300, nms=dict(type='nms', iou_threshold=0.5, offset=1)
    )
    (roi_layer,) = model.detector.roi_head.bbox_roi_extractor.roi_layers
    assert roi_layer.output_size == (7, 7)
    assert roi_layer.spatial_scale == 1 / 16
    assert roi_layer.sampling_ratio == 0 and not roi_layer.aligned
    fcs = [(fc.in_features, fc.out_features) for fc in head.shared_fcs]
    single = stem.startswith('single-frame')
    assert fcs == [(channels * 49, 1024)] + [(1024, 1024)] * single


@every_related
def test_relation(stem):
    model, full = build(MEGA[stem]), stem.startswith('rdn_')
    assert model.temporal_range == 18
    assert type(model.window) is RepeatedFrameWindow
    assert model.window.memory.max_frames == 37
    sampler = model.support_sampler
    assert sampler.num_support == 75
    assert len(model.neck.basic) == 2
    for module in model.neck.modules_in_order():
        assert module.pixel_offset == 1
        assert (module.num_heads, module.embed_dims) == (16, 1024)
    assert model.neck.advanced == model.neck.advanced_transform == full
    if full:
        scores = torch.arange(150, 0, -1.0)
        assert sampler.select_advanced(scores, [75, 75]).tolist() == [*range(15), *range(75, 90)]


@every_config
def test_schedule_and_data_are_those_of_rdn(stem):
    """Only the model and the resizing differ from configs/rdn."""
    row, _, backbone, *rest = stem.split('_')
    other = MEGA[stem].parents[1] / 'rdn' / '_'.join([row, 'faster-rcnn', backbone.replace('caffe-c4', 'dc5'), *rest])
    cfg, other = load(MEGA[stem]), load(other.with_suffix('.py'))
    for key in ('train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr', 'val_evaluator', 'custom_hooks'):
        assert cfg[key] == other[key]
    for ours, theirs in zip(datasets(cfg), datasets(other)):
        ours.pop('pipeline'), theirs.pop('pipeline')
        assert ours == theirs
    if row != 'rdn':
        return
    *_, work_dirs, folder, file = Path(cfg.load_from).parts
    assert work_dirs == 'work_dirs' and folder in MEGA
    assert file == f'iter_{load(MEGA[folder]).train_cfg.max_iters}.pth'
    given, wanted = (build(MEGA[name]).state_dict() for name in (folder, stem))
    assert given.keys() < wanted.keys()
    assert all(key.startswith(('neck.support_', 'neck.reference_')) for key in wanted.keys() - given.keys())


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['single-frame', 'rdn-basic', 'rdn'])
def test_a_training_step(kind, tmp_path):
    """Losses that are numbers, gradients where weights are to be trained."""
    path = mega.write_config(tmp_path / 'tiny.py', Layout(kind))
    torch.manual_seed(0)
    model = build_model(Config.fromfile(path))
    model.init_weights()
    model.train()
    inputs, samples = training_batch(1, 2 if kind != 'single-frame' else 0, (96, 160))
    losses = model.loss({k: v * 255 - 110 for k, v in inputs.items()}, samples)
    total, _ = model.parse_losses(losses)
    total.backward()
    assert set(losses) == {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'acc'}
    for name, parameter in model.named_parameters():
        trained = parameter.grad is not None and bool(torch.isfinite(parameter.grad).all())
        assert trained == parameter.requires_grad, name
        frozen = ('conv1.weight', 'layer1.') if 'backbone' in name else ()
        if name.startswith(tuple(f'detector.backbone.{part}' for part in frozen)):
            assert not trained
