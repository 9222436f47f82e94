# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN with a cascade of heads, against mmdet's cascade and plain loops."""

import copy

import numpy as np
import pytest
import torch

from helpers import naive_relation
from helpers.rdn import cascade_config, run, tiny_model, training_batch, video
from mmrdn.registry import MODELS

LENGTH = 5


def build(**kwargs):
    return tiny_model(cascade_config(**kwargs))


def mmdets(model, config):
    """mmdet's own Cascade R-CNN with the weights of ours."""
    detector = copy.deepcopy(config['detector'])
    detector['roi_head']['type'] = 'CascadeRoIHead'
    detector['roi_head']['bbox_head'][-1].update(type='ConvFCBBoxHead', num_shared_fcs=1)
    plain = MODELS.build(detector)
    plain.load_state_dict(model.detector.state_dict())
    return plain


def test_without_neck_it_is_mmdets_cascade():
    config = cascade_config(neck=None)
    model = tiny_model(config)
    plain = mmdets(model, config).eval()
    frames = video(3) + video(2, size=(48, 96), video_id=2)
    for (inputs, samples), result in zip(frames, run(model, frames), strict=True):
        with torch.no_grad():
            x = plain.extract_feat(inputs['img'][0])
            proposals = plain.rpn_head.predict(x, samples, rescale=False)
            expected = plain.roi_head.predict(x, proposals, samples, rescale=True)[0]
        found = result.pred_det_instances
        assert len(expected) > 10
        assert torch.equal(expected.bboxes, found.bboxes)
        assert torch.equal(expected.scores, found.scores)
        assert torch.equal(expected.labels, found.labels)


@pytest.mark.parametrize('batch', [1, 2])
def test_without_relation_losses_are_mmdets(batch):
    config = cascade_config(neck=None)
    model = tiny_model(config).train()
    plain = mmdets(model, config).train()
    inputs, samples = training_batch(batch, 0)
    torch.manual_seed(0)
    found = model.loss(inputs, copy.deepcopy(samples))
    torch.manual_seed(0)
    expected = plain.loss(inputs['img'][:, 0], copy.deepcopy(samples))
    assert set(found) == set(expected) and len(found) == 2 + 3 * 3
    for name, value in expected.items():
        for ours, theirs in zip(*(v if isinstance(v, list) else [v] for v in (found[name], value)), strict=True):
            assert torch.equal(ours, theirs), name


def decode(box, delta, std, size=(64, 80)):
    """A box moved by deltas, inside of the image."""
    x1, y1, x2, y2 = box
    dx, dy, dw, dh = np.array(delta) * [std, std, 2 * std, 2 * std]
    w, h = (x2 - x1) * np.exp(dw), (y2 - y1) * np.exp(dh)
    cx = (x1 + x2) / 2 + dx * (x2 - x1)
    cy = (y1 + y2) / 2 + dy * (y2 - y1)
    return np.clip([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 0, [size[1], size[0]] * 2)


@torch.no_grad()
def stages_by_hand(model, frames):
    """(features, boxes, objectness, summed logits) of each frame, each
    proposal by itself."""
    detector, found = model.detector, []
    extractor = detector.roi_head.bbox_roi_extractor
    first, second, last = detector.roi_head.bbox_head
    for inputs, samples in copy.deepcopy(frames):
        x = detector.extract_feat(inputs['img'][0])
        rpn = detector.rpn_head.predict(x, samples, rescale=False)[0]
        rows = []
        for box in rpn.bboxes:
            logits = 0
            for k, (head, std) in enumerate([(first, 0.1), (second, 0.05)]):
                roi = torch.cat([box.new_zeros(1), box])[None]
                scores, deltas = head(extractor[k](x, roi))
                logits = logits + scores[0].numpy()
                label = int(scores[0, :3].argmax())
                delta = deltas[0] if k == 0 else deltas[0].view(3, 4)[label]
                box = torch.tensor(decode(box.tolist(), delta.tolist(), std)).float()
            roi = torch.cat([box.new_zeros(1), box])[None]
            feat = extractor[2](x, roi).flatten()
            feat = torch.relu(last.shared_fcs[0](feat))
            rows.append((feat.numpy(), box.numpy(), logits))
        feats, boxes, logits = (np.array(part, dtype=float) for part in zip(*rows))
        found.append((feats, boxes, rpn.scores.tolist(), logits))
    return found


def detections_by_hand(model, frames, t, past=2, ahead=2):
    """Class probabilities (P, 4) and boxes (P, 4) of frame t by its pool."""
    found, pool = stages_by_hand(model, frames), []
    for feats, boxes, scores, _ in found[max(0, t - past) : t + ahead + 1]:
        inds = naive_relation.top_inds(scores, 4)  # by RPN's objectness
        pool += [(feats[i], boxes[i], scores[i]) for i in inds]
    advanced = naive_relation.top_inds([s for *_, s in pool], len(pool) // 2)
    feats, boxes, _, logits = found[t]
    feats, omega = naive_relation.aggregate(
        copy.deepcopy(model.neck).double(), feats, boxes, [p[0] for p in pool], [p[1] for p in pool], advanced
    )
    head = model.detector.roi_head.bbox_head[-1]
    weight, bias, reg, reg_bias = (
        p.detach().double().numpy()
        for p in (head.fc_cls.weight, head.fc_cls.bias, head.fc_reg.weight, head.fc_reg.bias)
    )
    mean = (logits + feats @ weight.T + bias) / 3
    probability = np.exp(mean) / np.exp(mean).sum(1, keepdims=True)
    deltas = feats @ reg.T + reg_bias
    moved = [decode(b, d, 0.033) for b, d in zip(boxes, deltas)]
    return probability, np.array(moved), omega


@pytest.mark.slow
@pytest.mark.parametrize('lookahead_batch', [1, 3])
def test_streaming_equals_each_frame_from_scratch(lookahead_batch):
    """Scores are those of all stages, boxes those of the last one."""
    recorders = [dict(type='NextFrameRelations', score_thr=0.0)]
    model = build(lookahead_batch=lookahead_batch, recorders=recorders)
    frames = video(LENGTH)
    results = run(model, frames)
    assert [r.frame_id for r in results] == list(range(LENGTH))
    for t, result in enumerate(results):
        probability, boxes, omega = detections_by_hand(model, frames, t)
        found = result.pred_det_instances
        assert len(found) > 5
        inds = found.proposal_inds
        np.testing.assert_allclose(found.scores, probability[inds, found.labels], atol=2e-4)
        np.testing.assert_allclose(found.bboxes, boxes[inds], atol=2e-2)
        if t + 1 < LENGTH:  # columns: frames t-2 .. t+2, four each
            start = 4 * (t + 1 - max(0, t - 2))
            np.testing.assert_allclose(result.link_relations.weights, omega[inds][:, start : start + 4], atol=2e-3)


def test_each_frame_passes_once():
    model, counts = build(), []
    modules = (model.detector.backbone, *model.detector.roi_head.bbox_head[:2])
    for module in modules:
        module.register_forward_pre_hook(lambda m, args: counts.append((m, len(args[0]))))
    run(model, video(LENGTH))
    for module, num in zip(modules, (1, 16, 16)):
        assert [n for m, n in counts if m is module] == [num] * LENGTH


@pytest.mark.parametrize('max_per_img', [0, 3])
def test_few_or_no_proposals(max_per_img):
    model = build()
    original = model.detector.rpn_head.predict

    def predict(*args, **kwargs):
        return [p[:max_per_img] for p in original(*args, **kwargs)]

    model.detector.rpn_head.predict = predict
    results = run(model, video(LENGTH))
    assert len(results) == LENGTH
    for result in results:
        assert len(result.pred_det_instances) <= 3 * max_per_img


@pytest.mark.parametrize('batch, supports', [(1, 0), (2, 1), (2, 2)])
def test_losses_reach_every_parameter(batch, supports):
    model = build().train()
    total, _ = model.parse_losses(model.loss(*training_batch(batch, supports)))
    assert torch.isfinite(total)
    total.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_supports_change_the_last_stage_alone():
    """Theirs are no losses, and relation is no part of the first stages."""
    model = build().train()
    inputs, samples = training_batch(2, 2)
    changed = dict(inputs, ref_img=inputs['ref_img'] + 1)
    losses = []
    model.eval()  # batch norm would mix frames
    for given in (inputs, changed):
        torch.manual_seed(0)
        losses.append(model.loss(given, copy.deepcopy(samples)))
    assert {f's{stage}.loss_{kind}' for stage in range(3) for kind in ('cls', 'bbox')} <= losses[0].keys()
    for name, value in losses[0].items():
        if name in ('s2.loss_cls', 's2.loss_bbox'):
            assert not torch.equal(value, losses[1][name])
        elif name.startswith(('s0.', 's1.')):
            assert torch.equal(value, losses[1][name]), name


def test_supports_of_a_sample_are_refined():
    """The pool holds the top K by objectness, at their refined boxes."""
    model = build().eval()
    inputs, samples = training_batch(1, 2)
    pools = []
    original = model._training_pools

    def keep(*args):
        pools.append(original(*args))
        return pools[-1]

    model._training_pools = keep
    model.loss(inputs, copy.deepcopy(samples))
    feats, boxes, scores, nums = pools[0][0].pool()
    assert nums == [4, 4, 4] and feats.requires_grad
    imgs = torch.cat([inputs['img'][0], inputs['ref_img'][0]])
    frames = [(dict(img=img[None, None]), [samples[0]]) for img in imgs]
    expected = stages_by_hand(model, frames)
    for k, (e_feats, e_boxes, e_scores, _) in enumerate(expected):
        inds = naive_relation.top_inds(e_scores, 4)
        rows = slice(4 * k, 4 * k + 4)
        np.testing.assert_allclose(boxes[rows], e_boxes[inds], atol=1e-2)
        np.testing.assert_allclose(feats[rows].detach(), e_feats[inds], atol=1e-3)
        np.testing.assert_allclose(scores[rows].detach(), np.array(e_scores)[inds], atol=1e-6)


def test_tensor_mode_is_the_last_stage():
    model = build()
    predicted = []
    model.detector.roi_head.bbox_head[-1].register_forward_hook(lambda head, args, outs: predicted.append(outs))
    with torch.no_grad():
        cls_score, bbox_pred = model(*training_batch(2, 2), mode='tensor')
    assert cls_score.shape == (32, 4) and bbox_pred.shape == (32, 4)
    assert torch.equal(cls_score, predicted[-1][0]) and torch.equal(bbox_pred, predicted[-1][1])


@pytest.mark.parametrize('stage', [0, 2])
def test_hard_mining_in_any_stage_is_refused(stage):
    config = cascade_config()
    config.detector.train_cfg.rcnn[stage]['sampler'] = dict(type='mmdet.OHEMSampler', num=16, pos_fraction=0.25)
    with pytest.raises(ValueError, match='must not be an OHEMSampler: it would mine without relation'):
        MODELS.build(config)


@pytest.mark.parametrize(
    'stage, kind, found',
    [
        (2, 'Shared2FCBBoxHead', 'Shared2FCBBoxHead, Shared2FCBBoxHead, Shared2FCBBoxHead'),
        (1, 'mmrdn.RDNBBoxHead', 'Shared2FCBBoxHead, RDNBBoxHead, RDNBBoxHead'),
    ],
)
def test_relation_belongs_to_the_last_stage(stage, kind, found):
    config = cascade_config()
    config.detector.roi_head.bbox_head[stage].type = kind
    with pytest.raises(ValueError) as error:
        MODELS.build(config)
    assert str(error.value).endswith(
        f'bbox_head must list 2 heads or more, the last an RDNBBoxHead and the others none, got {found}'
    )
