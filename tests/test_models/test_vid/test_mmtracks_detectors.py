# Copyright (c) mmrdn contributors. All rights reserved.
"""Tests of mmtrack's video detectors against their parts run by hand.

Two videos of five frames; which frames a frame refers to is written out.
"""

import mmtrack.models
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope, init_default_scope
from mmtrack.models.task_modules.motion import flow_warp_feats

from helpers.mmtrack_detectors import SAMPLERS, build_small
from mmrdn.models import SELSA
from mmrdn.setup_env import register_all_modules

# Frames that each of five frames refers to, in their order. The one in the middle is the frame
# itself.
STRIDE_1 = [(0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 4)]
STRIDE_2 = [(0, 0, 2), (0, 1, 2), (0, 2, 4), (0, 3, 4), (2, 4, 4)]
ADAPTIVE = [(0, 2, 4, t) for t in range(5)]
REFERENCES = {'stride 1': STRIDE_1, 'stride 2': STRIDE_2, 'adaptive': ADAPTIVE}


@pytest.fixture(autouse=True)
def scope():
    """The default scope afterwards is what it was."""
    register_all_modules(init_default_scope=False)
    before = DefaultScope.get_current_instance()
    init_default_scope('mmrdn')
    yield
    if before is not None:
        init_default_scope(before.scope_name)


def build(kind, digits, sampler=None, **changes):
    """A small model and all frames as it wants them."""
    _, model, dataset = build_small(kind, digits, sampler, **changes)
    assert [dataset.get_data_info(i)['frame_id'] for i in range(10)] == [*range(5), *range(5)]
    return model, [dataset[i] for i in range(10)]


def prepare(model, sample):
    """Image (1, 3, H, W) of a sample and what else it holds."""
    data = model.data_preprocessor(pseudo_collate([sample]))
    return data['inputs']['img'][0], data['data_samples']


def assert_equal(found, expected):
    """Boxes, scores and labels are the same, and not all alike."""
    assert torch.equal(found.labels, expected.labels)
    for field in ('bboxes', 'scores'):
        torch.testing.assert_close(found[field], expected[field], rtol=1e-4, atol=1e-5)
    assert len(found.scores) > 10 and found.scores.std() > 0


@torch.no_grad()
def detections_of(model, samples):
    """Return the detections of a model in frames that come in order."""
    found = []
    for sample in samples:
        (result,) = model.test_step(pseudo_collate([sample]))
        found.append(result.pred_det_instances)
    return found


@pytest.mark.slow
@pytest.mark.parametrize('way', SAMPLERS)
@pytest.mark.parametrize('kind', ['selsa', 'temporal_roi_align'])
@torch.no_grad()
def test_selsa(kind, way, digits):
    model, samples = build(kind, digits, way)
    assert type(model) is SELSA
    found = detections_of(model, samples)
    detector = model.detector
    frames = [prepare(model, sample) for sample in samples]
    maps = [detector.extract_feat(img)[0] for img, _ in frames]
    proposals = [
        detector.rpn_head.predict((x,), data_samples, rescale=False)[0] for x, (_, data_samples) in zip(maps, frames)
    ]
    for i, (_, data_samples) in enumerate(frames):
        first, frame_id = i - i % 5, i % 5
        references = [first + t for t in REFERENCES[way][frame_id]]
        (expected,) = detector.roi_head.predict(
            (maps[i],),
            (torch.cat([maps[t] for t in references]),),
            [proposals[i]],
            [proposals[t] for t in references],
            data_samples,
            rescale=True,
        )
        assert_equal(found[i], expected)


def test_mmtracks_own_selsa_still_needs_ours(digits):
    """Else ours can go."""
    model, samples = build('selsa', digits, 'stride 1', type='mmtrack.SELSA')
    assert type(model) is mmtrack.models.SELSA
    with pytest.raises(KeyError):
        detections_of(model, samples)


@pytest.mark.slow
@pytest.mark.parametrize('way', SAMPLERS)
@torch.no_grad()
def test_fgfa(way, digits):
    model, samples = build('fgfa', digits, way)
    found = detections_of(model, samples)
    detector = model.detector
    frames = [prepare(model, sample) for sample in samples]
    maps = [detector.extract_feat(img)[0] for img, _ in frames]
    for i, (img, data_samples) in enumerate(frames):
        others = [i - i % 5 + t for t in REFERENCES[way][i % 5]]
        # The frame itself is not warped.
        others.pop(-1 if way == 'adaptive' else 1)
        warped = [maps[i]]
        for t in others:
            pair = torch.cat((img, frames[t][0]), dim=1)
            flow = model.motion(pair, data_samples[0].metainfo, model.preprocess_cfg)
            assert flow.abs().mean() > 1  # pixels: the warp matters
            warped.append(flow_warp_feats(maps[t], flow))
        x = (model.aggregator(maps[i], torch.cat(warped)),)
        (expected,) = detect(detector, x, data_samples)
        assert_equal(found[i], expected)


@pytest.mark.slow
@torch.no_grad()
def test_dff(digits):
    """Every other frame is a key frame."""
    model, samples = build('dff', digits, test_cfg=dict(key_frame_interval=2))
    found = detections_of(model, samples)
    detector = model.detector
    frames = [prepare(model, sample) for sample in samples]
    for i, (img, data_samples) in enumerate(frames):
        key = i - i % 5 % 2
        x = detector.extract_feat(frames[key][0])
        if key != i:
            pair = torch.cat((img, frames[key][0]), dim=1)
            flow = model.motion(pair, data_samples[0].metainfo, model.preprocess_cfg)
            x = (flow_warp_feats(x[0], flow),)
        (expected,) = detect(detector, x, data_samples)
        assert_equal(found[i], expected)


def detect(detector, x, data_samples):
    """RPN and RoI head on feature maps."""
    proposals = detector.rpn_head.predict(x, data_samples, rescale=False)
    return detector.roi_head.predict(x, proposals, data_samples, rescale=True)
