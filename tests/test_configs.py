# Copyright (c) mmrdn contributors. All rights reserved.
"""Every config loads, builds, and carries the numbers that it should.

Models are built on the meta device: no memory, no time, real shapes.
"""
import ast
import copy
import functools
import inspect
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import (LOOPS, OPTIMIZERS, DefaultScope,
                               init_default_scope)

from mmrdn.apis.runner import unread_keys
from mmrdn.registry import (DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS,
                            OPTIM_WRAPPERS, PARAM_SCHEDULERS, TRANSFORMS,
                            VISUALIZERS)
from mmrdn.utils.setup_env import register_all_modules

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts)
RDN = {
    path.stem: path
    for path in FILES if path.parent == ROOT / 'configs' / 'rdn'
}
VID = sorted(stem for stem in RDN if stem.endswith('_imagenetvid'))
DIGITS = sorted(stem for stem in RDN if stem.endswith('_movingdigits'))
PHASE_2 = [stem for stem in VID if stem.startswith('rdn_')]
RELATED = [stem for stem in VID if stem.startswith(('rdn_', 'rdn-basic_'))]

every_config = pytest.mark.parametrize(
    'path', FILES, ids=lambda path: f'{path.parent.name}/{path.stem}')


@functools.lru_cache(maxsize=None)
def _read(path):
    return Config.fromfile(path)


def load(path):
    return copy.deepcopy(_read(path))


@functools.lru_cache(maxsize=None)
def _build(path, options=()):
    cfg = load(path)
    cfg.merge_from_dict(dict(options))
    return build_model(cfg)


def without_downloads(node):
    """Switch pretrained weights off, wherever they are named."""
    if isinstance(node, dict):
        init_cfg = node.get('init_cfg')
        if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
            node['init_cfg'] = None
        for value in node.values():
            without_downloads(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            without_downloads(value)


def build_model(cfg):
    without_downloads(cfg.model)
    with torch.device('meta'):
        return MODELS.build(cfg.model)


@pytest.fixture(autouse=True)
def scope():
    """The default scope of the configs, and afterwards what it was."""
    before = DefaultScope.get_current_instance()
    register_all_modules(init_default_scope=False)
    init_default_scope('mmrdn')
    yield
    if before is not None:
        init_default_scope(before.scope_name)


def bases(path):
    """The files that a config inherits from."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
            value = ast.literal_eval(node.value)
            return [value] if isinstance(value, str) else value
    return []


def depth(path):
    """Levels of `_base_` below a config; 1 for a file of another package."""
    return max((1 if '::' in base else 1 + depth((path.parent / base))
                for base in bases(path)),
               default=0)


def datasets(cfg):
    """Every data set that a config names, ConcatDataset taken apart."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = cfg[name].dataset
        assert DATASETS.get(dataset.type), dataset.type
        yield from dataset.get('datasets', [dataset])


def check_options(registry, cfg):
    """The type is there and takes what the config gives it."""
    kind = registry.get(cfg.type)
    assert kind, cfg.type
    parameters = inspect.signature(kind).parameters
    assert set(cfg) - {'type'} <= set(parameters), cfg


def test_there_are_configs():
    assert len(VID) == 10 and len(DIGITS) == 4
    assert len(RDN) == len(VID) + len(DIGITS)


@every_config
def test_name_says_batch_and_schedule(path):
    """{model}_{detector}_{backbone}_{gpus x batch-schedule}_{dataset}.py"""
    parts = path.stem.split('_')
    assert len(parts) == 5, path.stem
    assert all(re.fullmatch(r'[a-z0-9]+([.-][a-z0-9]+)*', p) for p in parts)
    batch, iters = re.fullmatch(r'\d+xb(\d+)-([\d.]+)k', parts[3]).groups()
    cfg = load(path)
    assert cfg.train_dataloader.batch_size == int(batch)
    assert cfg.train_cfg.max_iters == round(1000 * float(iters))
    assert ('movingdigits' in parts[4]) == ('data/moving_digits/' in cfg.text)


@every_config
def test_inherits_at_most_twice(path):
    assert depth(path) <= 2


@every_config
def test_everything_at_the_top_is_read(path):
    assert unread_keys(load(path)) == []


@every_config
def test_model_builds(path):
    cfg = load(path)
    model = _build(path)
    assert type(model) is MODELS.get(cfg.model.type)
    assert {p.device.type for p in model.parameters()} == {'meta'}


@every_config
def test_components_resolve(path):
    cfg = load(path)
    for item in datasets(cfg):
        # Builds the pipeline too, so that a misspelt option is found here.
        dataset = DATASETS.build(dict(item, lazy_init=True))
        assert dataset.metainfo['classes']
        for transform in item.pipeline:
            assert TRANSFORMS.get(transform.type), transform.type
    for name in ('train', 'val', 'test'):
        sampler = cfg[f'{name}_dataloader'].sampler
        check_options(DATA_SAMPLERS, sampler)
    for name in ('val_evaluator', 'test_evaluator'):
        assert METRICS.build(dict(cfg[name], ann_file=None))
    for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
        check_options(HOOKS, hook)
    for scheduler in cfg.param_scheduler:
        assert PARAM_SCHEDULERS.get(scheduler.type)
    assert OPTIMIZERS.get(cfg.optim_wrapper.optimizer.type)
    assert OPTIM_WRAPPERS.get(cfg.optim_wrapper.type)
    assert VISUALIZERS.get(cfg.visualizer.type)
    for loop in (cfg.val_cfg, cfg.test_cfg):
        assert LOOPS.get(loop.type)


@every_config
def test_ground_truth_of_the_metric_is_that_of_the_data(path):
    cfg = load(path)
    for name in ('val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        assert cfg[f'{name}_evaluator'].ann_file == \
            dataset.data_root + dataset.ann_file
        assert cfg[f'{name}_dataloader'].sampler.type == 'VideoSampler'
        assert dataset.test_mode


# What the paper says, for the ImageNet VID configs.


@pytest.mark.parametrize('stem', VID)
def test_anchors(stem):
    """12 anchors: 4 areas 64^2 .. 512^2, 3 ratios 1:2, 1:1, 2:1."""
    generator = _build(RDN[stem]).detector.rpn_head.prior_generator
    assert generator.strides == [(16, 16)]
    anchors, = generator.base_anchors
    assert anchors.shape == (12, 4)
    size = anchors[:, 2:] - anchors[:, :2]  # (12, 2): width, height
    found = sorted(
        (round(float(w * h)), round(float(h / w), 4)) for w, h in size)
    assert found == sorted((side * side, ratio) for side in (64, 128, 256, 512)
                           for ratio in (0.5, 1.0, 2.0))


@pytest.mark.parametrize('stem', VID)
def test_proposals_and_sampling(stem):
    detector = load(RDN[stem]).model.detector
    for rpn in (detector.train_cfg.rpn_proposal, detector.test_cfg.rpn):
        assert rpn.nms_pre == 6000
        assert rpn.nms == dict(type='nms', iou_threshold=0.7)
        assert rpn.max_per_img == 300
    sampler = detector.train_cfg.rcnn.sampler
    assert (sampler.num, sampler.pos_fraction) == (128, 0.25)
    assert detector.test_cfg.rcnn.nms == dict(type='nms', iou_threshold=0.5)


@pytest.mark.parametrize('stem', VID)
def test_feature_maps(stem):
    """Stride 16 throughout; RPN sees conv4, the RoI head conv5."""
    model = _build(RDN[stem])
    image = torch.zeros(1, 3, 96, 160, device='meta')
    (conv4, ), (conv5, ) = model._feature_maps(image)
    assert conv4.shape == (1, 1024, 6, 10)
    assert conv5.shape == (1, 2048, 6, 10)
    for block in model.detector.backbone.layer4:
        assert (block.conv2.stride, block.conv2.dilation) == ((1, 1), (2, 2))
    roi_head = model.detector.roi_head
    roi_layer, = roi_head.bbox_roi_extractor.roi_layers
    assert roi_layer.output_size == (7, 7)
    assert roi_layer.spatial_scale == 1 / 16
    fc, = roi_head.bbox_head.shared_fcs
    assert (fc.in_features, fc.out_features) == (2048 * 7 * 7, 1024)
    assert roi_head.bbox_head.fc_cls.out_features == 31
    assert roi_head.bbox_head.fc_reg.out_features == 4 * 30


@pytest.mark.parametrize('stem', VID)
def test_backbone(stem):
    backbone = _build(RDN[stem]).detector.backbone
    kind, depth, blocks, groups = {
        'r50': ('ResNet', 50, [3, 4, 6, 3], 1),
        'r101': ('ResNet', 101, [3, 4, 23, 3], 1),
        'x101': ('ResNeXt', 101, [3, 4, 23, 3], 64)
    }[stem.split('_')[2].split('-')[0]]
    assert type(backbone).__name__ == kind
    stages = [getattr(backbone, f'layer{i}') for i in (1, 2, 3, 4)]
    assert [len(stage) for stage in stages] == blocks
    conv = stages[0][0].conv2
    assert conv.groups == groups
    if kind == 'ResNeXt':  # 4 channels a group
        assert conv.weight.shape[1] == 4
    init_cfg = load(RDN[stem]).model.detector.backbone.init_cfg
    assert init_cfg.type == 'Pretrained'
    assert init_cfg.checkpoint == {
        'r50': 'torchvision://resnet50',
        'r101': 'torchvision://resnet101',
        'x101': 'open-mmlab://resnext101_64x4d'
    }[stem.split('_')[2].split('-')[0]]


@pytest.mark.parametrize('stem', RELATED)
def test_relation(stem):
    """T = 18, K = 75, r = 20 %, N_b = 2, 16 heads of 64."""
    model = _build(RDN[stem])
    assert model.temporal_range == 18
    assert model.window.memory.max_frames == 37
    assert model.support_sampler.num_support == 75
    assert model.support_sampler.advanced_ratio == 0.2
    assert model.support_sampler.advanced_scope == 'pool'
    assert len(model.neck.basic) == model.neck.num_basic == 2
    assert model.neck.in_channels == 1024
    for relation in model.neck.basic:
        assert relation.geometry_proj.weight.shape == (16, 64)
        assert relation.query_proj.weight.shape == (1024, 1024)
    assert model.neck.advanced == (stem in PHASE_2)
    if model.neck.advanced:  # Eq. 6 without the extra fc of others' code
        assert isinstance(model.neck.support_transform, torch.nn.Identity)


@pytest.mark.parametrize('stem', VID)
def test_schedule(stem):
    """Phase 1: 120k, lr / 10 after 80k; phase 2: 60k, after 40k."""
    cfg = load(RDN[stem])
    iters, milestone = (60000, 40000) if stem in PHASE_2 else (120000, 80000)
    assert cfg.train_cfg.max_iters == iters
    scheduler, = cfg.param_scheduler
    assert scheduler == dict(
        type='MultiStepLR', by_epoch=False, milestones=[milestone], gamma=0.1)
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-4)
    assert cfg.auto_scale_lr.base_batch_size == 4  # 4 GPUs x 1 image
    assert '_4xb1-' in stem


@pytest.mark.parametrize('stem', VID)
def test_data(stem):
    """VID's chosen frames and DET; shorter side 600; supports in [-18, 18]."""
    cfg = load(RDN[stem])
    for item in datasets(cfg):
        pipeline = [*item.pipeline]
        pipeline += pipeline[0].get('transforms', [])
        resize, = [t for t in pipeline if t.type == 'mmdet.Resize']
        # The shorter side becomes 600 whatever the shape of the frame is.
        assert min(resize.scale) == 600 and resize.keep_ratio
        assert max(resize.scale) >= 100 * 600
    vid, det = cfg.train_dataloader.dataset.datasets
    assert vid.ann_file == 'annotations/imagenet_vid_train.json'
    assert det.ann_file == 'annotations/imagenet_det_30classes.json'
    assert vid.load_as_video and not det.load_as_video
    assert vid.ref_img_sampler.method == det.ref_img_sampler.method == 'uniform'
    wanted = (2, 18) if stem in RELATED else (0, 0)
    sampler = vid.ref_img_sampler
    assert (sampler.num_ref_imgs, sampler.frame_range) == wanted
    assert det.ref_img_sampler.num_ref_imgs == wanted[0]
    assert len(DATASETS.build(dict(vid,
                                   lazy_init=True)).metainfo['classes']) == 30


@pytest.mark.parametrize('stem', PHASE_2)
def test_phase_2_starts_from_phase_1(stem):
    cfg = load(RDN[stem])
    *_, work_dirs, folder, file = Path(cfg.load_from).parts
    assert work_dirs == 'work_dirs'  # where tools/train.py puts it
    assert folder == stem.replace('rdn_', 'rdn-basic_').replace('60k', '120k')
    phase_1 = load(RDN[folder])
    assert file == f'iter_{phase_1.train_cfg.max_iters}.pth'
    assert phase_1.train_cfg.max_iters % \
        phase_1.default_hooks.checkpoint.interval == 0
    given = _build(RDN[folder]).state_dict()
    wanted = _build(RDN[stem]).state_dict()
    assert {
        key: value.shape
        for key, value in given.items()
    }.items() <= {
        key: value.shape
        for key, value in wanted.items()
    }.items()
    assert all(
        key.startswith(('neck.support_relation.', 'neck.reference_relation.'))
        for key in wanted.keys() - given.keys())


def test_rows_of_table_3_differ_in_relation_only():
    name = '_faster-rcnn_r101-dc5_4xb1-{}k_imagenetvid'
    single, within, basic, full = (
        load(RDN[row + name.format(60 if row == 'rdn' else 120)]).model
        for row in ('single-frame', 'relation', 'rdn-basic', 'rdn'))
    assert single.detector == within.detector == basic.detector \
        == full.detector
    assert 'neck' not in single
    assert within.temporal_range == 0
    assert within.support_sampler.num_support == 300  # every proposal
    assert within.neck == basic.neck
    assert not basic.neck.advanced and full.neck.get('advanced', True)


@pytest.mark.parametrize('num', range(5))
def test_table_5_by_option(num):
    stem = 'rdn-basic_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid'
    neck = _build(RDN[stem], (('model.neck.num_basic', num), )).neck
    assert len(neck.basic) == num
    assert len(neck.basic_transforms) == max(0, num - 1)


@pytest.mark.parametrize('option, read', [
    ('model.temporal_range=3', lambda m: m.window.memory.max_frames == 7),
    ('model.temporal_range=24', lambda m: m.window.memory.max_frames == 49),
    ('model.support_sampler.num_support=300',
     lambda m: m.support_sampler.num_support == 300),
    ('model.support_sampler.advanced_ratio=1.0',
     lambda m: m.support_sampler.advanced_ratio == 1),
])
def test_tables_4_6_7_by_option(option, read):
    key, value = option.split('=')
    path = RDN['rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid']
    assert read(_build(path, ((key, ast.literal_eval(value)), )))


# Moving digits.


@pytest.mark.parametrize('stem', DIGITS)
def test_moving_digits_rows_share_all_but_relation(stem):
    """Same detector, schedule, data and seed settings in every row."""
    single = load(RDN[next(s for s in DIGITS
                           if s.startswith('single-frame_'))])
    cfg = load(RDN[stem])
    for part in ('train_cfg', 'optim_wrapper', 'param_scheduler',
                 'val_dataloader', 'test_evaluator'):
        assert cfg[part] == single[part]
    assert cfg.model.detector == single.model.detector
    train, other = (c.train_dataloader.copy() for c in (cfg, single))
    sampler = train.dataset.pop('ref_img_sampler')
    other.dataset.pop('ref_img_sampler')
    assert train == other
    across_frames = stem.startswith('rdn')
    assert sampler.num_ref_imgs == (2 if across_frames else 0)
    assert sampler.frame_range == cfg.model.temporal_range
    assert (cfg.model.temporal_range > 0) == across_frames


@pytest.mark.parametrize('stem', DIGITS)
def test_moving_digits_feature_maps(stem):
    model = _build(RDN[stem])
    x, _ = model._feature_maps(torch.zeros(1, 3, 128, 160, device='meta'))
    assert [tuple(level.shape) for level in x] == [(1, 64, 16, 20)]
    head = model.detector.roi_head.bbox_head
    assert head.fc_cls.out_features == 11
    if model.neck is not None:
        assert model.neck.in_channels == head.fc_cls.in_features
