# Copyright (c) mmrdn contributors. All rights reserved.
"""The configs carry the numbers of the paper."""

import ast
import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.configs import DIGITS, MIXED_VID, RDN, ROOT, VID, build, datasets, load
from mmrdn.registry import DATASETS, TRANSFORMS
from mmrdn.utils.cli import parse_options

PHASE_2 = [stem for stem in [*VID, *MIXED_VID] if stem.startswith('rdn_')]
RELATED = [stem for stem in [*VID, *MIXED_VID] if stem.startswith(('rdn_', 'rdn-basic_'))]
BY_SGD = [stem for stem in [*VID, *MIXED_VID] if 'swin' not in stem]


@pytest.mark.parametrize('stem', VID)
def test_anchors(stem):
    """12 anchors: 4 areas 64^2 .. 512^2, 3 ratios 1:2, 1:1, 2:1."""
    generator = build(RDN[stem]).detector.rpn_head.prior_generator
    assert generator.strides == [(16, 16)]
    (anchors,) = generator.base_anchors
    assert anchors.shape == (12, 4)
    size = anchors[:, 2:] - anchors[:, :2]  # (12, 2): width, height
    found = sorted((round(float(w * h)), round(float(h / w), 4)) for w, h in size)
    assert found == sorted((side * side, ratio) for side in (64, 128, 256, 512) for ratio in (0.5, 1.0, 2.0))


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


@pytest.mark.slow
@pytest.mark.parametrize('stem', VID)
def test_feature_maps(stem):
    """Stride 16 throughout; RPN sees conv4, the RoI head conv5."""
    model = build(RDN[stem])
    image = torch.zeros(1, 3, 96, 160, device='meta')
    (conv4,), (conv5,) = model.feature_maps(image)
    assert conv4.shape == (1, 1024, 6, 10)
    assert conv5.shape == (1, 2048, 6, 10)
    for block in model.detector.backbone.layer4:
        assert (block.conv2.stride, block.conv2.dilation) == ((1, 1), (2, 2))
    roi_head = model.detector.roi_head
    (roi_layer,) = roi_head.bbox_roi_extractor.roi_layers
    assert roi_layer.output_size == (7, 7)
    assert roi_layer.spatial_scale == 1 / 16
    (fc,) = roi_head.bbox_head.shared_fcs
    assert (fc.in_features, fc.out_features) == (2048 * 7 * 7, 1024)
    assert roi_head.bbox_head.fc_cls.out_features == 31
    assert roi_head.bbox_head.fc_reg.out_features == 4 * 30


@pytest.mark.parametrize('stem', VID)
def test_backbone(stem):
    backbone = build(RDN[stem]).detector.backbone
    kind, depth, blocks, groups = {
        'r50': ('ResNet', 50, [3, 4, 6, 3], 1),
        'r101': ('ResNet', 101, [3, 4, 23, 3], 1),
        'x101': ('ResNeXt', 101, [3, 4, 23, 3], 64),
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
    assert (
        init_cfg.checkpoint
        == {
            'r50': 'https://download.pytorch.org/models/resnet50-0676ba61.pth',
            'r101': 'https://download.pytorch.org/models/resnet101-63fe2227.pth',
            'x101': 'open-mmlab://resnext101_64x4d',
        }[stem.split('_')[2].split('-')[0]]
    )


@pytest.mark.parametrize('stem', RELATED)
def test_relation(stem):
    """T = 18, K = 75, r = 20 %, N_b = 2, 16 heads of 64."""
    model = build(RDN[stem])
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
        assert not hasattr(model.neck, 'support_transform')


@pytest.mark.parametrize('stem', BY_SGD)
def test_schedule(stem):
    """Phase 1: 120k, lr / 10 after 80k; phase 2: 60k, after 40k."""
    cfg = load(RDN[stem])
    iters, milestone = (60000, 40000) if stem in PHASE_2 else (120000, 80000)
    assert cfg.train_cfg.max_iters == iters
    (scheduler,) = cfg.param_scheduler
    assert scheduler == dict(type='MultiStepLR', by_epoch=False, milestones=[milestone], gamma=0.1)
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-4)
    assert cfg.auto_scale_lr.base_batch_size == 4  # 4 GPUs x 1 image
    assert '_4xb1-' in stem


@pytest.mark.parametrize('stem', [*VID, *MIXED_VID])
def test_data(stem):
    """VID's chosen frames and DET; shorter side 600, longer at most 1000; supports in [-18, 18]."""
    cfg = load(RDN[stem])
    for item in datasets(cfg):
        pipeline = [*item.pipeline]
        pipeline += pipeline[0].get('transforms', [])
        (resize,) = [t for t in pipeline if t.type == 'mmdet.Resize']
        assert resize.scale == (1000, 600) and resize.keep_ratio
    vid, det = cfg.train_dataloader.dataset.datasets
    assert vid.ann_file == 'annotations/imagenet_vid_train.json'
    assert det.ann_file == 'annotations/imagenet_det_30classes.json'
    assert vid.load_as_video and not det.load_as_video
    for item in (vid, det):
        assert item.ref_img_sampler.method == 'uniform'
    wanted = (2, 18) if stem in RELATED else (0, 0)
    sampler = vid.ref_img_sampler
    assert (sampler.num_ref_imgs, sampler.frame_range) == wanted
    assert det.ref_img_sampler.num_ref_imgs == wanted[0]
    assert len(DATASETS.build(dict(vid, lazy_init=True)).metainfo['classes']) == 30


UNCAPPED = [
    'train_dataloader.dataset.datasets.0.pipeline.0.transforms.2.scale',
    'train_dataloader.dataset.datasets.1.pipeline.0.transforms.2.scale',
    'val_dataloader.dataset.pipeline.1.scale',
    'test_dataloader.dataset.pipeline.1.scale',
]


@pytest.mark.parametrize('uncapped', [False, True])
def test_the_longer_side_is_capped_unless_the_options_of_the_docs_say_otherwise(uncapped):
    """500 x 50 pixels: twice at 1000, twelve times at 600; 1280 x 720 is far from the cap."""
    cfg = copy.deepcopy(load(RDN['rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid']))
    words = [f'{key}=(100000,600)' for key in UNCAPPED]
    page = (ROOT / 'docs' / 'reproduction.md').read_text()
    assert all(f'"{word}"' in page for word in words)
    if uncapped:
        cfg.merge_from_dict(parse_options(words))
    for item in datasets(cfg):
        pipeline = [*item.pipeline]
        pipeline += pipeline[0].get('transforms', [])
        resize = TRANSFORMS.build(next(t for t in pipeline if t.type == 'mmdet.Resize'))
        found = [resize(dict(img=np.zeros((h, w, 3), np.uint8)))['img'].shape[:2] for h, w in ((50, 500), (720, 1280))]
        assert found == [(600, 6000) if uncapped else (100, 1000), (563, 1000) if not uncapped else (600, 1067)]


@pytest.mark.parametrize('stem', PHASE_2)
def test_phase_2_starts_from_phase_1(stem):
    cfg = load(RDN[stem])
    *_, work_dirs, folder, file = Path(cfg.load_from).parts
    assert work_dirs == 'work_dirs'  # where tools/train.py puts it
    assert folder == stem.replace('rdn_', 'rdn-basic_').replace('60k', '120k')
    phase_1 = load(RDN[folder])
    assert file == f'iter_{phase_1.train_cfg.max_iters}.pth'
    assert phase_1.train_cfg.max_iters % phase_1.default_hooks.checkpoint.interval == 0
    given = build(RDN[folder]).state_dict()
    wanted = build(RDN[stem]).state_dict()
    assert {key: value.shape for key, value in given.items()}.items() <= {
        key: value.shape for key, value in wanted.items()
    }.items()
    assert all(
        key.startswith(('neck.support_relation.', 'neck.reference_relation.')) for key in wanted.keys() - given.keys()
    )


def test_rows_of_table_3_differ_in_relation_only():
    name = '_faster-rcnn_r101-dc5_4xb1-{}k_imagenetvid'
    single, within, basic, full = (
        load(RDN[row + name.format(60 if row == 'rdn' else 120)]).model
        for row in ('single-frame', 'relation', 'rdn-basic', 'rdn')
    )
    assert single.detector == within.detector == basic.detector == full.detector
    assert 'neck' not in single
    assert within.temporal_range == 0
    assert within.support_sampler.num_support == 300  # every proposal
    assert within.neck == basic.neck
    assert not basic.neck.advanced and full.neck.get('advanced', True)


@pytest.mark.parametrize('num', range(5))
def test_table_5_by_option(num):
    stem = 'rdn-basic_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid'
    neck = build(RDN[stem], (('model.neck.num_basic', num),)).neck
    assert len(neck.basic) == num
    assert len(neck.basic_transforms) == max(0, num - 1)


@pytest.mark.parametrize(
    'option, read',
    [
        ('model.temporal_range=3', lambda m: m.window.memory.max_frames == 7),
        ('model.temporal_range=24', lambda m: m.window.memory.max_frames == 49),
        ('model.support_sampler.num_support=300', lambda m: m.support_sampler.num_support == 300),
        ('model.support_sampler.advanced_ratio=1.0', lambda m: m.support_sampler.advanced_ratio == 1),
    ],
)
def test_tables_4_6_7_by_option(option, read):
    key, value = option.split('=')
    path = RDN['rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid']
    assert read(build(path, ((key, ast.literal_eval(value)),)))


# Moving digits.


@pytest.mark.parametrize('stem', DIGITS)
def test_moving_digits_rows_share_all_but_relation(stem):
    """Same detector, schedule, data and seed settings in every row."""
    single = load(RDN[next(s for s in DIGITS if s.startswith('single-frame_'))])
    cfg = load(RDN[stem])
    for part in ('train_cfg', 'optim_wrapper', 'param_scheduler', 'val_dataloader', 'test_evaluator'):
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
    model = build(RDN[stem])
    x, _ = model.feature_maps(torch.zeros(1, 3, 128, 160, device='meta'))
    assert [tuple(level.shape) for level in x] == [(1, 64, 16, 20)]
    head = model.detector.roi_head.bbox_head
    assert head.fc_cls.out_features == 11
    if model.neck is not None:
        assert model.neck.in_channels == head.fc_cls.in_features
