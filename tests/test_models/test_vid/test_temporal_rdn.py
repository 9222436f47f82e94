# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN with Temporal RoI Align, against mmtrack's layer called by hand."""

import copy

import pytest
import torch
from mmtrack.models.roi_heads.roi_extractors import TemporalRoIAlign

from helpers.rdn import model_config, run, temporal_config, tiny_model, training_batch, video
from mmrdn.models.roi_heads import FrameMaps
from mmrdn.models.vid.stream import VideoStream
from mmrdn.registry import MODELS

LENGTH = 6


def build(**kwargs):
    """A model whose maps do not depend on what else is in the batch: mmtrack's
    layer picks points, and would pick others after another rounding."""
    model = tiny_model(temporal_config(**kwargs))
    extract_feat = model.detector.extract_feat
    model.detector.extract_feat = lambda imgs: tuple(
        torch.cat(level) for level in zip(*(extract_feat(img[None]) for img in imgs))
    )
    return model


def assert_same(results, expected):
    assert [r.img_id for r in results] == [r.img_id for r in expected]
    for a, b in zip(results, expected):
        a, b = a.pred_det_instances, b.pred_det_instances
        torch.testing.assert_close(a.scores, b.scores, rtol=0, atol=1e-3)
        torch.testing.assert_close(a.bboxes, b.bboxes, rtol=0, atol=1e-2)


def features_by_hand(model, own, boxes, seen):
    """mmtrack's layer and one fc: own map (1, c, h, w), seen (R, c, h, w)."""
    layer = TemporalRoIAlign(
        num_most_similar_points=2,
        num_temporal_attention_blocks=4,
        roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=1),
        out_channels=16,
        featmap_strides=[8],
    )
    head = model.detector.roi_head
    layer.load_state_dict(head.bbox_roi_extractor.state_dict())
    rois = torch.cat([boxes.new_zeros(len(boxes), 1), boxes], 1)
    roi_feats = layer([own], rois, ref_feats=[seen])  # (n, 16, 3, 3)
    return torch.relu(head.bbox_head.shared_fcs[0](roi_feats.flatten(1)))


def maps_of(model, imgs):
    """The map (1, c, h, w) of each image (3, H, W)."""
    return [model.detector.extract_feat(img[None])[0] for img in imgs]


@pytest.mark.parametrize('num_maps', [1, 2, 9])
@pytest.mark.parametrize('lookahead_batch', [1, 3])
@torch.no_grad()
def test_a_frame_sees_the_last_frames_before_it(num_maps, lookahead_batch):
    model = build(num_maps=num_maps, lookahead_batch=lookahead_batch)
    found, detect = [], model.detector.roi_head.detect

    def keep(feats, frame, rescale):
        found.append(frame)
        return detect(feats, frame, rescale)

    model.detector.roi_head.detect = keep
    frames = video(LENGTH)
    results = run(model, frames)
    assert [r.frame_id for r in results] == list(range(LENGTH))
    maps = maps_of(model, [inputs['img'][0, 0] for inputs, _ in frames])
    for t, frame in enumerate(found):
        seen = maps[max(0, t - num_maps) : t] or [maps[0]]
        expected = features_by_hand(model, maps[t], frame.boxes, torch.cat(seen))
        torch.testing.assert_close(frame.feats, expected, rtol=1e-4, atol=1e-5)


def test_each_frame_passes_the_backbone_once():
    model, counts = tiny_model(temporal_config()), []
    model.detector.backbone.register_forward_pre_hook(lambda module, args: counts.append(len(args[0])))
    run(model, video(LENGTH))
    assert counts == [1] * LENGTH
    assert not model.window._maps


@pytest.mark.slow
def test_videos_do_not_mix():
    """One after the other, cut short, at once: each as if alone."""
    model = build()
    first, second = video(LENGTH), video(4, video_id=2)
    expected = [run(model, first), run(model, second)]
    assert_same(run(model, first + second), expected[0] + expected[1])
    assert_same(run(model, first[:3] + second)[3:], expected[1])
    model.train()
    model.eval()  # forgets what was cut short
    streams = [VideoStream(model), VideoStream(model)]
    results = [[], []]
    for step in zip(*copy.deepcopy([first[:4], second])):
        with torch.inference_mode():
            frames = model.extract(
                torch.cat([inputs['img'][0] for inputs, _ in step]), [samples[0] for _, samples in step]
            )
        for stream, frame, out in zip(streams, frames, results):
            out += stream.advance(frame, rescale=True)
    results[0] += streams[0].flush(rescale=True)
    assert_same(results[1], expected[1])
    shorter = copy.deepcopy(first[:4])  # the same, known to be four
    for _, samples in shorter:
        samples[0].set_metainfo(dict(video_length=4))
    assert_same(results[0], run(model, shorter))


@torch.no_grad()
def test_frames_of_another_size_are_not_seen():
    model = build()
    frames = video(LENGTH)[:2] + video(LENGTH, size=(48, 96))[2:4]
    pushed = []
    for inputs, samples in frames:
        model.predict(inputs, samples)
        pushed.append(model.window._waiting[-1])
    small = maps_of(model, [inputs['img'][0, 0] for inputs, _ in frames[2:]])
    for frame, own in zip(pushed[2:], small, strict=True):  # itself, then the one before
        torch.testing.assert_close(
            frame.feats, features_by_hand(model, own, frame.boxes, small[0]), rtol=1e-4, atol=1e-5
        )


@pytest.mark.slow
def test_training_frames_see_the_others_of_their_sample():
    """There are two samples with two supports each, and a still image."""
    model = build()
    inputs, samples = training_batch(3, 2)
    samples[1].set_metainfo(dict(ref_img_id=[10, 10]))  # itself
    calls, embed = [], model.detector.roi_head._embed

    def keep(x, rois):
        calls.append((rois, embed(x, rois)))
        return calls[-1][1]

    model.detector.roi_head._embed = keep
    model.loss(inputs, copy.deepcopy(samples))
    images = [*inputs['img'][:, 0], *inputs['ref_img'][0], *inputs['ref_img'][2]]
    maps = maps_of(model, images)
    others = [[3, 4], [1], [5, 6], [0, 4], [0, 3], [2, 6], [2, 5]]
    (pool_rois, pool), (loss_rois, loss) = calls
    assert pool_rois[:, 0].unique().tolist() == list(range(7))
    assert loss_rois[:, 0].unique().tolist() == [0, 1, 2]
    for rois, feats in ((pool_rois, pool), (loss_rois, loss)):
        for i in rois[:, 0].unique().int().tolist():
            mine = rois[:, 0] == i
            expected = features_by_hand(model, maps[i], rois[mine, 1:], torch.cat([maps[j] for j in others[i]]))
            torch.testing.assert_close(feats[mine], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('batch, supports', [(1, 0), (2, 2)])
def test_losses_reach_every_parameter(batch, supports):
    model = build().train()
    total, _ = model.parse_losses(model.loss(*training_batch(batch, supports)))
    total.backward()
    names = [name for name, _ in model.named_parameters()]
    assert any('bbox_roi_extractor.embed_network' in name for name in names)
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_tensor_mode_sees_what_training_sees():
    model = build(num_maps=1)
    inputs, samples = training_batch(1, 2)
    with torch.no_grad():
        cls_score, bbox_pred = model(inputs, samples, mode='tensor')
    assert cls_score.shape == (16, 4) and bbox_pred.shape == (16, 12)
    changed = dict(inputs, ref_img=inputs['ref_img'] + 1)
    neck = model.neck
    for module in neck.modules_in_order():  # relation adds nothing
        for parameter in module.value_proj.parameters():
            parameter.data.zero_()
    with torch.no_grad():
        a, b = (model(given, samples, mode='tensor')[0] for given in (inputs, changed))
    assert not torch.allclose(a, b)


@torch.no_grad()
def test_several_levels_compare_the_last():
    config = temporal_config()
    config.detector.roi_head.bbox_roi_extractor.featmap_strides = [4, 8]
    head = tiny_model(config).detector.roi_head
    x = [torch.rand(2, 16, 16, 20), torch.rand(2, 16, 8, 10), torch.rand(2, 16, 4, 5)]
    boxes = [torch.tensor([[4.0, 4.0, 30.0, 40.0]]), torch.zeros(0, 4)]
    assert head.compared_level(x) is x[1]
    seen = torch.rand(3, 16, 8, 10)
    feats, none = head.extract(FrameMaps(x, seen=[seen, seen]), boxes)
    rois = torch.tensor([[0.0, 4.0, 4.0, 30.0, 40.0]])
    expected = head.bbox_roi_extractor(x[:2], rois, ref_feats=[None, seen])
    torch.testing.assert_close(feats, head.bbox_head.embed(expected))
    assert none.shape == (0, 24)


@pytest.mark.parametrize('max_per_img', [0, 3])
def test_few_or_no_proposals(max_per_img):
    model = build()
    original = model.detector.rpn_head.predict

    def predict(*args, **kwargs):
        return [p[:max_per_img] for p in original(*args, **kwargs)]

    model.detector.rpn_head.predict = predict
    assert len(run(model, video(LENGTH))) == LENGTH


@pytest.mark.slow
def test_amp_stays_near():
    model = build()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        results = run(model, video(LENGTH))
    assert len(results) == LENGTH
    for a, b in zip(results, run(model, video(LENGTH)), strict=True):
        a, b = (r.pred_det_instances.scores.max() for r in (a, b))
        assert a.item() == pytest.approx(b.item(), abs=0.1)  # 8 bits


@pytest.mark.parametrize(
    'place, name, value, message',
    [
        (lambda c: c, 'neck', None, 'TemporalRDN needs a neck: a detector of single frames sees no others'),
        (
            lambda c: c.detector.roi_head,
            'num_maps',
            0,
            'num_maps must be an integer number of frames, 1 or more, got 0',
        ),
        (
            lambda c: c.detector,
            'roi_head',
            model_config().detector.roi_head,
            "detector must have roi_head=dict(type='mmrdn.TemporalRDNRoIHead', ...), got a RDNRoIHead",
        ),
        (
            lambda c: c.detector.roi_head,
            'bbox_roi_extractor',
            model_config().detector.roi_head.bbox_roi_extractor,
            'bbox_roi_extractor must be a mmtrack.TemporalRoIAlign, got a SingleRoIExtractor',
        ),
    ],
)
def test_wrong_settings_are_named(place, name, value, message):
    config = temporal_config()
    place(config)[name] = value
    with pytest.raises(ValueError) as error:
        MODELS.build(config)
    assert str(error.value).endswith(message)


def test_the_head_alone_knows_no_other_frames():
    config = temporal_config()
    config.type = 'mmrdn.RDN'
    config.detector.roi_head.pop('num_maps')
    with pytest.raises(ValueError) as error:
        run(tiny_model(config), video(1))
    assert str(error.value) == ('TemporalRDNRoIHead works only in a TemporalRDN, which provides the other frames')
