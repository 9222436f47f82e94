# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN in training, and its settings."""

import copy

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from helpers.rdn import model_config, run, training_batch, video
from helpers.rdn import tiny_model as build
from mmrdn.models.vid.training_inputs import training_frames
from mmrdn.registry import MODELS

# ------------------------------------------------------------------- training


def test_pool_of_each_sample_holds_its_own_frames_once():
    """A still with two copies of itself has a pool of one frame."""
    inputs, samples = training_batch(batch=3, supports=2)
    samples[1].set_metainfo(dict(ref_img_id=[10, 10]))  # its own img_id
    imgs, frames, owners = training_frames(inputs, samples, True)
    assert owners == [0, 1, 2, 0, 0, 2, 2]
    assert [s.img_id for s in frames] == [0, 10, 20, 1, 2, 21, 22]
    torch.testing.assert_close(imgs[:3], inputs['img'][:, 0])
    torch.testing.assert_close(imgs[3:5], inputs['ref_img'][0])
    torch.testing.assert_close(imgs[5:], inputs['ref_img'][2])


def test_samples_of_a_batch_do_not_mix():
    """Losses of a batch do not see the supports of another sample."""
    model = build().train()
    model.detector.roi_head.bbox_sampler.num = 8
    inputs, samples = training_batch(batch=2, supports=2)
    pools = []
    original = model._training_pools

    def keep(*args):
        pools.append(original(*args))
        return pools[-1]

    model._training_pools = keep
    torch.manual_seed(0)
    model.loss(inputs, copy.deepcopy(samples))
    changed = dict(inputs, ref_img=inputs['ref_img'].clone())
    changed['ref_img'][1] += 1.0
    model.loss(changed, copy.deepcopy(samples))
    before, after = pools
    assert torch.equal(before[0].pool()[0], after[0].pool()[0])
    assert not torch.equal(before[1].pool()[0], after[1].pool()[0])
    assert before[0].pool()[3] == [4, 4, 4]  # K of each of three frames


@pytest.mark.parametrize('supports', [0, 1, 2, 3])
@pytest.mark.parametrize('batch', [1, 2])
def test_losses_reach_every_parameter(batch, supports):
    model = build().train()
    inputs, samples = training_batch(batch, supports)
    losses = model.loss(inputs, samples)
    total, _ = model.parse_losses(losses)
    assert torch.isfinite(total)
    total.backward()
    silent = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    assert silent == []


def test_frames_without_ground_truth():
    model = build().train()
    inputs, samples = training_batch(2, 2)
    for s in samples:
        s.gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        s.ignored_instances = copy.deepcopy(s.gt_instances)
    losses = model.loss(inputs, samples)
    total, _ = model.parse_losses(losses)
    assert torch.isfinite(total) and losses['loss_bbox'] == 0


def test_supports_bring_no_losses():
    """Targets and losses are those of the key frames alone."""
    model = build().train()
    inputs, samples = training_batch(2, 2)
    rois = []
    original = model.detector.roi_head._bbox_forward

    def keep(x, r):
        rois.append(r)
        return original(x, r)

    model.detector.roi_head._bbox_forward = keep
    model.loss(inputs, samples)
    assert len(rois) == 1 and set(rois[0][:, 0].tolist()) == {0.0, 1.0}


def test_amp_on_the_cpu():
    model = build().train()
    inputs, samples = training_batch(2, 2)
    torch.manual_seed(0)
    expected, _ = model.parse_losses(model.loss(inputs, copy.deepcopy(samples)))
    torch.manual_seed(0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found, _ = model.parse_losses(model.loss(inputs, samples))
    found.backward()
    assert found.item() == pytest.approx(expected.item(), rel=0.1)


def test_losses_that_are_no_numbers_stop_before_the_backward_pass():
    losses = dict(loss_cls=torch.tensor(float('nan')), loss_bbox=torch.ones(2))
    with pytest.raises(ValueError, match='loss_cls.* became NaN or infinite'):
        build().parse_losses(losses)
    total, _ = build().parse_losses(dict(losses, loss_cls=torch.tensor(2.0)))
    assert total == 3


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_boxes_that_are_no_numbers_are_refused(value):
    """mmcv's RoI layer would read outside of the feature maps."""
    model = build()
    boxes = torch.tensor([[1.0, 1.0, 9.0, 9.0], [1.0, 1.0, 9.0, value]])
    with pytest.raises(ValueError, match='became NaN or infinite'):
        model.detector.roi_head.extract([torch.zeros(1, 16, 8, 10)], [boxes])


def test_tensor_mode_equals_parts():
    model = build()
    inputs, samples = training_batch(2, 2)
    with torch.no_grad():
        cls_score, bbox_pred = model(inputs, samples, mode='tensor')
        without_samples = model(inputs, mode='tensor')
    assert cls_score.shape[1] == 4 and bbox_pred.shape[1] == 12
    assert len(cls_score) == len(bbox_pred) == 2 * 16
    torch.testing.assert_close(without_samples[0], cls_score)


@pytest.mark.parametrize(
    'changes, match',
    [
        (dict(temporal_range=-1), 'temporal_range'),
        (dict(neck=dict(type='mmrdn.RelationAggregator', nonsense=1)), 'nonsense'),
        (dict(support_sampler=dict(type='SelectiveSupportSampler', top=3)), 'top'),
    ],
)
def test_wrong_settings_are_named(changes, match):
    with pytest.raises((ValueError, TypeError), match=match):
        MODELS.build(model_config(**changes))


def test_a_detector_without_our_head_is_refused():
    config = model_config()
    config['detector']['roi_head'] = None
    with pytest.raises(ValueError, match='RDNRoIHead'):
        MODELS.build(config)


def test_conv4_rpn_and_conv5_rois_by_config():
    config = model_config(rpn_in_indices=(0,), roi_in_indices=(1,))
    detector = config['detector']
    detector['backbone'].update(num_stages=4, strides=(1, 2, 1, 1), dilations=(1, 1, 1, 2), out_indices=(2, 3))
    detector['neck'] = None
    detector['rpn_head']['in_channels'] = 32
    detector['roi_head']['bbox_roi_extractor']['out_channels'] = 64
    detector['roi_head']['bbox_head']['in_channels'] = 64
    model = build(config)
    shapes = []
    model.detector.rpn_head.rpn_conv.register_forward_pre_hook(lambda m, args: shapes.append(args[0].shape))
    results = run(model, video(2))
    assert len(results) == 2
    assert {tuple(s) for s in shapes} == {(1, 32, 8, 10)}
    np.testing.assert_array_equal(model.detector.roi_head.bbox_head.shared_fcs[0].in_features, 64 * 9)


def test_fpn_and_multi_level_rois():
    config = model_config()
    detector = config['detector']
    detector['backbone'].update(num_stages=4, strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1), out_indices=(0, 1, 2, 3))
    detector['neck'] = dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5)
    detector['rpn_head']['anchor_generator'].update(scales=[4], strides=[4, 8, 16, 32, 64])
    detector['roi_head']['bbox_roi_extractor']['featmap_strides'] = [4, 8, 16, 32]
    model = build(config)
    assert len(run(model, video(3))) == 3
    inputs, samples = training_batch(2, 2)
    total, _ = model.parse_losses(model.train().loss(inputs, samples))
    assert torch.isfinite(total)
