# Copyright (c) mmrdn contributors. All rights reserved.
"""Configs of RDN with parts of mmtrack and mmdet, see docs/combinations.md.

What they share with the paper's is tested in test_configs_paper.py.
"""

import pytest
import torch
from mmengine.hub import get_config

from helpers.configs import MIXED, MIXED_DIGITS, MIXED_VID, RDN, build, datasets, load
from mmrdn import models
from mmrdn.setup_env import register_all_modules

FPN = [stem for stem in MIXED_VID if '-fpn_' in stem]
SWIN = [stem for stem in MIXED_VID if 'swin' in stem]
CASCADE = [stem for stem in MIXED if '_cascade-rcnn_' in stem]


def cfg_of_mmdet(name):
    register_all_modules(init_default_scope=False)
    return get_config(f'mmdet::{name}')


@pytest.mark.parametrize('stem', FPN)
def test_pyramid(stem):
    """Strides 4 to 64 and 4 to 32; areas 32^2 to 512^2 of three ratios."""
    assert len(FPN) == 6
    model = build(MIXED[stem])
    image = torch.zeros(1, 3, 128, 192, device='meta')
    rpn_x, roi_x = model.feature_maps(image)
    for x in (rpn_x, roi_x):
        assert [tuple(level.shape) for level in x] == [(1, 256, 128 // s, 192 // s) for s in (4, 8, 16, 32, 64)]
    generator = model.detector.rpn_head.prior_generator
    assert generator.strides == [(s, s) for s in (4, 8, 16, 32, 64)]
    sides = []
    for anchors in generator.base_anchors:
        size = anchors[:, 2:] - anchors[:, :2]
        assert sorted(round(float(h / w), 4) for w, h in size) == [0.5, 1, 2]
        sides += {round(float(w * h)) for w, h in size}
    assert sides == [s * s for s in (32, 64, 128, 256, 512)]
    head = model.detector.roi_head
    extractors = head.bbox_roi_extractor
    for extractor in extractors if stem in CASCADE else [extractors]:
        assert [layer.spatial_scale for layer in extractor.roi_layers] == [1 / 4, 1 / 8, 1 / 16, 1 / 32]
    (fc,) = head.relation_head.shared_fcs
    assert (fc.in_features, fc.out_features) == (256 * 49, 1024)
    assert head.relation_head.fc_cls.out_features == 31
    cfg = load(MIXED[stem])
    assert cfg.model.data_preprocessor.pad_size_divisor == 32
    detector = cfg.model.detector
    for rpn in (detector.train_cfg.rpn_proposal, detector.test_cfg.rpn):
        assert (rpn.max_per_img, rpn.nms.iou_threshold) == (300, 0.7)


@pytest.mark.parametrize('stem', SWIN)
def test_swin_is_mmdets(stem):
    """Backbone and optimizer of mmdet's Mask R-CNN on Swin-T."""
    ours = load(MIXED[stem])
    theirs = cfg_of_mmdet('swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py')
    backbone = ours.model.detector.backbone
    for key, value in theirs.model.backbone.items():
        if key in backbone:
            assert backbone[key] == (tuple(value) if isinstance(value, list) else value), key
    model = build(MIXED[stem])
    assert model.detector.backbone.num_features == [96, 192, 384, 768]
    assert ours.model.detector.neck.in_channels == theirs.model.neck.in_channels
    optimizer = dict(ours.optim_wrapper.optimizer)
    # Their lr is for 8 GPUs x 2 images, ours for 4 x 1.
    assert optimizer.pop('lr') * 16 / 4 == pytest.approx(theirs.optim_wrapper.optimizer.pop('lr'))
    assert optimizer == theirs.optim_wrapper.optimizer
    ours_keys, theirs_keys = (cfg.optim_wrapper.paramwise_cfg.custom_keys for cfg in (ours, theirs))
    assert {*ours_keys} == {*theirs_keys} - {'absolute_pos_embed'}  # none here
    assert all(ours_keys[key] == theirs_keys[key] for key in ours_keys)
    iters, milestone = (60000, 40000) if stem.startswith('rdn_') else (120000, 80000)
    assert ours.train_cfg.max_iters == iters
    warm_up, steps = ours.param_scheduler
    for key in ('type', 'start_factor', 'by_epoch', 'end'):
        assert warm_up[key] == theirs.param_scheduler[0][key]
    assert steps.milestones == [milestone] and steps.gamma == 0.1
    assert ours.auto_scale_lr.base_batch_size == 4


@pytest.mark.parametrize('stem', CASCADE)
def test_cascade_is_mmdets(stem):
    """IoUs, deltas and weights of the stages; relation in the last."""
    assert len(CASCADE) == 3
    theirs = cfg_of_mmdet('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py').model
    ours = load(MIXED[stem]).model.detector
    assert ours.type == theirs.type == 'CascadeRCNN'
    for key in ('num_stages', 'stage_loss_weights'):
        assert ours.roi_head[key] == theirs.roi_head[key]
    for a, b in zip(ours.train_cfg.rcnn, theirs.train_cfg.rcnn, strict=True):
        for key in ('pos_iou_thr', 'neg_iou_thr', 'min_pos_iou'):
            assert a.assigner[key] == b.assigner[key]
    for a, b in zip(ours.roi_head.bbox_head, theirs.roi_head.bbox_head, strict=True):
        assert a.bbox_coder.target_stds == b.bbox_coder.target_stds
        assert a.reg_class_agnostic == b.reg_class_agnostic
    head = build(MIXED[stem]).detector.roi_head
    assert type(head) is models.RDNCascadeRoIHead
    assert [type(h).__name__ for h in head.bbox_head] == ['Shared2FCBBoxHead', 'Shared2FCBBoxHead', 'RDNBBoxHead']
    # The last stage is the head of Faster R-CNN with RDN.
    assert len(head.relation_head.shared_fcs) == 1


@pytest.mark.parametrize('stem', MIXED_DIGITS)
def test_moving_digits_differ_in_the_mixed_in_part(stem):
    """Same data, schedule, RPN and numbers of proposals as plain RDN, or as
    plain SELSA."""
    plain = load(RDN['rdn_faster-rcnn_r18_1xb4-1500_movingdigits'])
    if 'selsa-relation' in stem:
        plain = load(MIXED[stem].parent / 'selsa_faster-rcnn_r18_1xb1-6000_movingdigits.py')
    cfg = load(MIXED[stem])
    for part in ('train_cfg', 'param_scheduler', 'test_evaluator'):
        assert cfg[part] == plain[part]
    assert cfg.optim_wrapper.optimizer == plain.optim_wrapper.optimizer
    detector, other = cfg.model.detector, plain.model.detector
    for part in ('rpn', 'rpn_proposal'):
        assert detector.train_cfg[part] == other.train_cfg[part]
    assert detector.test_cfg == other.test_cfg
    for a, b in zip(datasets(cfg), datasets(plain), strict=True):
        assert (a.ann_file, a.data_root) == (b.ann_file, b.data_root)
    sampler = cfg.train_dataloader.dataset.ref_img_sampler
    assert (sampler.num_ref_imgs, sampler.frame_range) == (2, 6)
    assert cfg.train_dataloader == plain.train_dataloader
    if 'selsa-relation' not in stem:
        assert cfg.model.temporal_range == plain.model.temporal_range
        assert cfg.model.support_sampler == plain.model.support_sampler


def test_parts_are_the_ones_named():
    """By the types that are built."""
    model = {stem.split('_movingdigits')[0]: build(MIXED[stem]) for stem in MIXED_DIGITS}
    selsa = model['selsa-relation_faster-rcnn_r18_1xb1-6000']
    assert type(selsa) is models.SELSA
    for part in selsa.detector.roi_head.bbox_head.aggregator:
        assert type(part) is models.ObjectRelationAggregator
        assert part.relation.embed_dims == 256
    rdn = model['rdn-selsa_faster-rcnn_r18_1xb4-1500']
    assert {type(part) for part in rdn.neck.modules_in_order()} == {models.SelsaRelation}
    rdn = model['rdn-troia_faster-rcnn_r18_1xb4-1500']
    assert type(rdn) is models.TemporalRDN
    assert type(rdn.window) is models.TemporalWindow
    extractor = rdn.detector.roi_head.bbox_roi_extractor
    assert type(extractor).__module__.startswith('mmtrack.')
    for name in ('r18', 'swin'):
        rdn = model[f'rdn_faster-rcnn_{name}-fpn_1xb4-1500']
        x, _ = rdn.feature_maps(torch.zeros(1, 3, 128, 160, device='meta'))
        assert [tuple(level.shape) for level in x] == [(1, 64, 128 // s, 160 // s) for s in (4, 8, 16)]
    assert type(rdn.detector.backbone).__name__ == 'SwinTransformer'
