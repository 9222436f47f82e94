# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN on FPN and on Swin, by the configs on moving digits, from random
weights: against mmdet's own detector, and against each pool from scratch."""

import copy

import pytest
import torch

from helpers.configs import MIXED, load
from helpers.rdn import sample, tiny_model
from mmrdn.registry import MODELS

SIZE = (64, 96)
LENGTH = 4
STEMS = [f'rdn_faster-rcnn_{backbone}-fpn_1xb4-1500_movingdigits' for backbone in ('r18', 'swin')]


def config_of(stem, **changes):
    """The model of a config, with anchors for RoIs on all three levels."""
    config = load(MIXED[stem]).model
    config.pop('data_preprocessor')
    config.update(changes)
    config.detector.rpn_head.anchor_generator.scales = [2.0, 6.0]
    return config


def video():
    generator = torch.Generator().manual_seed(0)
    return [(torch.rand(3, *SIZE, generator=generator), sample(SIZE, 1, i, LENGTH)) for i in range(LENGTH)]


def run(model):
    with torch.no_grad():
        return [
            result for img, data_sample in video() for result in model.predict(dict(img=img[None, None]), [data_sample])
        ]


def mmdets(config, model):
    """mmdet's own Faster R-CNN with the weights of ours."""
    detector = copy.deepcopy(config.detector)
    detector.roi_head.type = 'StandardRoIHead'
    detector.roi_head.bbox_head.update(type='ConvFCBBoxHead', num_shared_fcs=1)
    plain = MODELS.build(detector).eval()
    plain.load_state_dict(model.detector.state_dict())
    return plain


@pytest.mark.slow
@pytest.mark.parametrize('stem', STEMS)
@torch.no_grad()
def test_without_neck_it_is_mmdets_detector(stem):
    config = config_of(stem)
    config.neck = None
    model = tiny_model(config)
    plain, levels = mmdets(config, model), set()
    for (img, data_sample), result in zip(video(), run(model)):
        x = plain.extract_feat(img[None])
        proposals = plain.rpn_head.predict(x, [data_sample], rescale=False)
        rois = torch.cat([torch.zeros(len(proposals[0]), 1), proposals[0].bboxes], 1)
        extractor = plain.roi_head.bbox_roi_extractor
        levels |= set(extractor.map_roi_levels(rois, 3).tolist())
        expected = plain.roi_head.predict(x, proposals, [data_sample], rescale=True)[0]
        found = result.pred_det_instances
        assert len(expected) > 10
        assert torch.equal(expected.bboxes, found.bboxes)
        assert torch.equal(expected.scores, found.scores)
    assert levels == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize('stem', STEMS)
@torch.no_grad()
def test_streaming_equals_each_pool_from_scratch(stem):
    """Features of mmdet's layers, frame by frame; T = 1, K = 16."""
    config = config_of(stem, temporal_range=1)
    model, found = tiny_model(config), []
    plain = mmdets(config, model)
    detect = model.detector.roi_head.detect

    def keep(feats, frame, rescale):
        found.append(feats)
        return detect(feats, frame, rescale)

    model.detector.roi_head.detect = keep
    assert len(run(model)) == LENGTH
    frames = []
    for img, data_sample in video():
        x = plain.extract_feat(img[None])
        (rpn,) = plain.rpn_head.predict(x, [data_sample], rescale=False)
        rois = torch.cat([torch.zeros(len(rpn), 1), rpn.bboxes], 1)
        feats = plain.roi_head.bbox_roi_extractor(x, rois).flatten(1)
        feats = plain.roi_head.bbox_head.shared_fcs[0](feats).relu()
        frames.append((feats, rpn.bboxes, rpn.scores))
    for t, (feats, boxes, _) in enumerate(frames):
        pool = []
        for f, b, s in frames[max(0, t - 1) : t + 2]:
            inds = s.argsort(descending=True, stable=True)[:16]
            pool.append((f[inds], b[inds], s[inds]))
        pool, pool_boxes, scores = (torch.cat(part) for part in zip(*pool))
        advanced = scores.argsort(descending=True, stable=True)
        expected = model.neck(feats, boxes, pool, pool_boxes, advanced[: len(pool) // 5])
        torch.testing.assert_close(found[t], expected, rtol=1e-3, atol=1e-3)
