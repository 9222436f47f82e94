# Copyright (c) mmrdn contributors. All rights reserved.
import copy

import numpy as np
import pytest
import torch
from mmtrack.structures import TrackDataSample

from helpers import naive_relation
from helpers.rdn import model_config, proposals_of, run, video
from helpers.rdn import tiny_model as build
from mmrdn.models.vid.stream import VideoStream
from mmrdn.registry import MODELS


def pool_from_scratch(model, frames, t):
    """Augmented features of frame t from Algorithm 1's pool, computed from scratch."""
    last = len(frames) - 1
    span = model.temporal_range
    proposals = proposals_of(model, frames)
    sampler = model.support_sampler
    chosen = []
    for feats, boxes, scores in proposals[max(0, t - span) : min(last, t + span) + 1]:
        inds = naive_relation.top_inds(scores.tolist(), sampler.num_support)
        chosen.append((feats[inds], boxes[inds], scores[inds]))
    pool, pool_boxes, scores = (torch.cat(part) for part in zip(*chosen))
    num = max(1, int(sampler.advanced_ratio * len(scores) + 1e-6))
    advanced = naive_relation.top_inds(scores.tolist(), num)
    feats, boxes, _ = proposals[t]
    return naive_relation.aggregate(model.neck, feats, boxes, pool, pool_boxes, advanced)[0]


@pytest.mark.slow
@pytest.mark.parametrize('length', [1, 2, 3, 4, 5, 7])
@torch.no_grad()
def test_streaming_equals_each_pool_from_scratch(length):
    """T = 2: shorter than T, one frame, just 2T + 1, longer."""
    model = build(temporal_range=2)
    model.neck.double()
    frames, augmented = video(length), []
    head = model.detector.roi_head
    extract, detect = head.extract, head.detect

    def extract_double(*args):
        return [feats.double() for feats in extract(*args)]

    def keep(feats, *args):
        augmented.append(feats)
        return detect(feats.float(), *args)

    head.extract, head.detect = extract_double, keep
    results = run(model, frames)
    assert [r.frame_id for r in results] == list(range(length))
    assert all(len(r.pred_det_instances) > 0 for r in results)
    for t in range(length):
        expected = pool_from_scratch(model, frames, t)
        np.testing.assert_allclose(augmented[t], expected, rtol=1e-8, atol=1e-9)


def test_results_wait_for_the_look_ahead():
    model = build(temporal_range=2)
    counts = []
    for inputs, samples in video(6):
        with torch.no_grad():
            counts.append(len(model.predict(inputs, samples)))
    assert counts == [0, 0, 1, 1, 1, 3]


def test_each_frame_passes_the_backbone_once():
    model = build(temporal_range=3)
    seen = []
    model.detector.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[0]))
    assert len(run(model, video(9))) == 9
    assert sum(seen) == 9


@pytest.mark.slow
def test_state_is_reset_between_videos():
    model = build(temporal_range=2)
    first, second = video(5, 1), video(4, 2)
    together = run(model, first + second)
    apart = run(model, first) + run(model, second)
    assert [r.video_id for r in together] == [1] * 5 + [2] * 4
    for a, b in zip(together, apart):
        assert torch.equal(a.pred_det_instances.scores, b.pred_det_instances.scores)
    assert len(model.window.memory) == 0


def test_a_video_cut_short_is_flushed_by_the_next():
    model = build(temporal_range=2)
    results = run(model, video(9, 1)[:4] + video(3, 2))
    assert [(r.video_id, r.frame_id) for r in results] == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2)]
    expected = run(model, video(4, 1))  # same frames, known to be four
    # The images are the same, so are the results.
    for a, b in zip(results, expected):
        assert torch.equal(a.pred_det_instances.scores, b.pred_det_instances.scores)


def test_changing_mode_forgets_a_video_cut_short():
    model = build(temporal_range=2)
    run(model, video(9)[:4])
    model.train()
    model.eval()
    assert [r.frame_id for r in run(model, video(3, 2))] == [0, 1, 2]


def test_batches_of_frames_equal_single_frames():
    model = build(temporal_range=2)
    frames = video(6)
    inputs = dict(img=torch.cat([f[0]['img'] for f in frames[:4]]))
    batch = [(inputs, [f[1][0] for f in frames[:4]])] + frames[4:]
    for a, b in zip(run(model, batch), run(model, frames), strict=True):
        torch.testing.assert_close(a.pred_det_instances.scores, b.pred_det_instances.scores, rtol=1e-4, atol=1e-5)


def test_channels_last_changes_nothing():
    model = build(temporal_range=1)
    expected = run(model, video(3))
    model.to(memory_format=torch.channels_last)
    for a, b in zip(run(model, video(3)), expected, strict=True):
        torch.testing.assert_close(a.pred_det_instances.scores, b.pred_det_instances.scores, rtol=1e-4, atol=1e-5)


def test_stills_are_videos_of_one_frame():
    model = build(temporal_range=2)
    inputs, _ = video(1)[0]
    still = TrackDataSample(metainfo=dict(img_id=1, img_shape=(64, 80), ori_shape=(64, 80), scale_factor=(1.0, 1.0)))
    assert len(run(model, [(inputs, [still])] * 2)) == 2


def test_boxes_are_rescaled_to_the_original_frame():
    model = build(temporal_range=1)
    frames = video(2)
    expected = run(model, frames)
    for _, samples in frames:
        samples[0].set_metainfo(dict(scale_factor=(0.5, 2.0)))
    for a, b, _ in zip(run(model, frames), expected, frames, strict=True):
        torch.testing.assert_close(
            a.pred_det_instances.bboxes, b.pred_det_instances.bboxes * torch.tensor([2.0, 0.5, 2.0, 0.5])
        )


@pytest.mark.parametrize('max_per_img', [0, 3])
def test_few_or_no_proposals(max_per_img):
    """Fewer than K, and none at all."""
    model = build(temporal_range=1)
    original = model.detector.rpn_head.predict

    def predict(*args, **kwargs):
        return [p[:max_per_img] for p in original(*args, **kwargs)]

    model.detector.rpn_head.predict = predict
    results = run(model, video(3))
    assert len(results) == 3
    for result in results:
        kept = result.pred_det_instances
        assert len(kept) <= max_per_img * 3 and kept.bboxes.shape[1] == 4


def test_without_neck_it_is_the_single_frame_detector():
    """Equal to mmdet's own Faster R-CNN with the same weights."""
    config = model_config(neck=None)
    model = build(config)
    detector = copy.deepcopy(config['detector'])
    head = detector['roi_head']
    head['type'], head['bbox_head']['type'] = 'StandardRoIHead', 'BBoxHead'
    head['bbox_head'].update(type='ConvFCBBoxHead', num_shared_fcs=1)
    plain = MODELS.build(detector).eval()
    plain.load_state_dict(model.detector.state_dict())
    for (inputs, samples), result in zip(video(3), run(model, video(3)), strict=True):
        with torch.no_grad():
            x = plain.extract_feat(inputs['img'][0])
            proposals = plain.rpn_head.predict(x, samples, rescale=False)
            expected = plain.roi_head.predict(x, proposals, samples, rescale=True)[0]
        assert torch.equal(expected.bboxes, result.pred_det_instances.bboxes)
        assert torch.equal(expected.scores, result.pred_det_instances.scores)


# -------------------------------------------------- streams and look-ahead


@pytest.mark.slow
@pytest.mark.parametrize('lookahead_batch', [2, 3, 10])
@pytest.mark.parametrize('length', [1, 2, 4, 7])
def test_frames_of_the_look_ahead_pass_in_batches(lookahead_batch, length):
    """Same results, as early as before, in fewer passes of the backbone."""
    plain, model = build(), build(lookahead_batch=lookahead_batch)
    batches = []
    model.detector.backbone.register_forward_pre_hook(lambda module, args: batches.append(len(args[0])))
    for inputs, samples in video(length) + video(5, video_id=8):
        samples_again = copy.deepcopy(samples)
        expected = plain.predict(inputs, samples)
        results = model.predict(inputs, samples_again)
        assert len(results) == len(expected)
        for a, b in zip(expected, results):
            assert a.img_id == b.img_id
            torch.testing.assert_close(a.pred_det_instances.bboxes, b.pred_det_instances.bboxes, rtol=0, atol=1e-3)
            torch.testing.assert_close(a.pred_det_instances.scores, b.pred_det_instances.scores, rtol=0, atol=1e-4)
    # T = 2: up to three frames before the first result, then one at a time.
    first = min(lookahead_batch, 3, length)
    assert batches[0] == first and sum(batches) == length + 5
    assert max(batches) <= max(first, min(lookahead_batch, 3))


def test_a_video_cut_short_while_frames_are_held():
    model = build(lookahead_batch=3)
    frames = video(5, video_id=1)[:2] + video(5, video_id=2, size=(48, 64))
    results = run(model, frames)
    assert [r.img_id for r in results] == [100, 101, 200, 201, 202, 203, 204]
    frames = video(5, video_id=1)[:2]
    assert run(model, frames) == []
    assert [r.img_id for r in model.flush()] == [100, 101]
    assert model.flush() == []


@pytest.mark.slow
def test_streams_side_by_side_equal_one_at_a_time():
    """One batch through backbone and RPN, a window for each stream."""
    model = build()
    # Every box is kept: of two with nearly the same score, rounding decides which one NMS would keep.
    model.detector.roi_head.test_cfg.update(score_thr=0.0, nms=dict(type='nms', iou_threshold=1.0))
    videos = [video(6, video_id=i) for i in range(3)]
    expected = [run(model, frames) for frames in videos]
    streams = [VideoStream(model) for _ in videos]
    results = [[] for _ in videos]
    for step in zip(*copy.deepcopy(videos)):
        imgs = torch.cat([inputs['img'][0] for inputs, _ in step])
        with torch.no_grad():
            frames = model.extract(imgs, [samples[0] for _, samples in step])
        for stream, frame, out in zip(streams, frames, results):
            out += stream.advance(frame, rescale=True)
    for one, other in zip(expected, results):
        assert [r.img_id for r in one] == [r.img_id for r in other]
        for a, b in zip(one, other):
            assert len(a.pred_det_instances) == 48  # 16 proposals, 3 classes
            torch.testing.assert_close(a.pred_det_instances.scores, b.pred_det_instances.scores, rtol=0, atol=1e-4)


def test_results_may_be_changed_although_made_in_inference_mode():
    model, modes = build(), []
    model.neck.register_forward_pre_hook(lambda *_: modes.append(torch.is_inference_mode_enabled()))
    model.detector.backbone.register_forward_pre_hook(lambda *_: modes.append(torch.is_inference_mode_enabled()))
    result = run(model, video(3))[0].pred_det_instances
    result.bboxes[:, 0] += 1  # an error for tensors of inference mode
    assert modes and all(modes)


@pytest.mark.parametrize('value', [0, -1, 1.5])
def test_wrong_lookahead_batch_is_named(value):
    with pytest.raises(ValueError, match='lookahead_batch must be'):
        build(lookahead_batch=value)


def test_hard_mining_without_relation_is_refused():
    config = model_config()
    config['detector']['train_cfg']['rcnn']['sampler'] = dict(type='mmdet.OHEMSampler', num=16, pos_fraction=0.25)
    with pytest.raises(ValueError, match='must not be an OHEMSampler: it would mine without relation'):
        build(config)
    config['neck'] = None
    assert build(config).neck is None
