# Copyright (c) mmrdn contributors. All rights reserved.
"""Records of relation weights, against loops over each pool."""

import copy

import numpy as np
import pytest
import torch

from helpers import naive_relation
from helpers.rdn import model_config, proposals_of, run, video
from helpers.rdn import tiny_model as build
from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.models.vid.stream import VideoStream
from mmrdn.post_processing.video_linker import pair_relations
from mmrdn.registry import MODELS

LENGTH = 6


def naive_omega(model, proposals, t, past, ahead):
    """omega-bar of frame t, with (frame, proposal) of each column."""
    columns, feats, boxes = [], [], []
    for u in range(max(0, t - past), min(len(proposals) - 1, t + ahead) + 1):
        for i in naive_relation.top_inds(proposals[u][2].tolist(), model.support_sampler.num_support):
            columns.append((u, i))
            feats.append(proposals[u][0][i])
            boxes.append(proposals[u][1][i])
    double = copy.deepcopy(model.neck).double()
    double.advanced = False  # omega is that of the basic stage
    _, omega = naive_relation.aggregate(
        double, proposals[t][0], proposals[t][1], torch.stack(feats), torch.stack(boxes), None
    )
    return omega, columns


@pytest.mark.slow
@pytest.mark.parametrize('lookahead', [None, 1])
def test_relations_between_detections_of_consecutive_frames(lookahead):
    """omega-bar of the proposals behind them, 0 beyond the top K."""
    model = build(temporal_range=2, lookahead=lookahead, recorders=[dict(type='NextFrameRelations', score_thr=0.0)])
    frames = video(LENGTH)
    results = run(model, frames)
    proposals = proposals_of(model, frames)
    nonzero = 0
    for t, (a, b) in enumerate(zip(results, results[1:])):
        omega, columns = naive_omega(model, proposals, t, 2, lookahead or 2)
        a, b = a.to_dict(), b.to_dict()
        found_a, found_b = a['pred_det_instances'], b['pred_det_instances']
        relations = pair_relations(to_frame_detections(a), to_frame_detections(b)).toarray()
        assert relations.shape == (len(found_a['scores']), len(found_b['scores']))
        for i, p in enumerate(found_a['proposal_inds'].tolist()):
            for j, q in enumerate(found_b['proposal_inds'].tolist()):
                expected = 0.0
                if (t + 1, q) in columns and (found_a['labels'][i] == found_b['labels'][j]):
                    expected = omega[p, columns.index((t + 1, q))]
                    nonzero += expected > 0
                assert relations[i, j] == pytest.approx(expected, abs=5e-4)  # geometry near 0 amplifies fp32
    assert nonzero > 20


def test_weights_are_kept_above_the_threshold_only():
    plain = build(recorders=[dict(type='NextFrameRelations', score_thr=0.0)])
    model = build(recorders=[dict(type='NextFrameRelations', score_thr=0.35)])
    frames = video(LENGTH)
    for full, result, _ in zip(run(plain, video(LENGTH)), run(model, video(LENGTH)), frames, strict=True):
        scores = result.pred_det_instances.scores
        kept = [i for i, s in enumerate(scores.tolist()) if s >= 0.35]
        assert result.link_relations.detection_inds.tolist() == kept
        torch.testing.assert_close(result.link_relations.weights, full.link_relations.weights[kept])
        last = result.frame_id == LENGTH - 1
        assert result.link_relations.weights.shape[1] == (0 if last else 4)


def test_without_look_ahead_nothing_is_known_of_the_next_frame():
    model = build(lookahead=0, recorders=[dict(type='NextFrameRelations')])
    widths = [result.link_relations.weights.shape[1] for result in run(model, video(LENGTH))]
    assert widths == [0] * LENGTH


def test_detections_know_their_proposals():
    """Each box is its proposal, moved by the deltas of its class."""
    model = build(temporal_range=1)
    frames = video(3)
    head, predicted = model.detector.roi_head, []
    bbox_head = head.bbox_head
    original = bbox_head.forward

    def keep(feats):
        predicted.append(original(feats))
        return predicted[-1]

    bbox_head.forward = keep
    results = run(model, frames)
    proposals = proposals_of(model, frames)
    for result, (_, boxes, _), (cls, deltas) in zip(results, proposals, predicted, strict=True):
        found = result.pred_det_instances
        assert len(found) > 0
        for box, score, label, p in zip(found.bboxes, found.scores, found.labels, found.proposal_inds):
            x1, y1, x2, y2 = boxes[p].tolist()
            dx, dy, dw, dh = (
                deltas[p, 4 * label : 4 * label + 4].double() * torch.tensor([0.1, 0.1, 0.2, 0.2])
            ).tolist()
            w, h = (x2 - x1) * np.exp(dw), (y2 - y1) * np.exp(dh)
            cx = (x1 + x2) / 2 + dx * (x2 - x1)
            cy = (y1 + y2) / 2 + dy * (y2 - y1)
            expected = np.clip([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 0, [80, 64, 80, 64])
            np.testing.assert_allclose(box, expected, atol=1e-3)
            assert score == pytest.approx(cls[p].softmax(0)[label].item(), abs=1e-6)


@pytest.mark.slow
def test_top_supports():
    """The supports of each detection with the most weight, and where."""
    model = build(temporal_range=2, recorders=[dict(type='TopSupports', num_supports=3, score_thr=0.35)])
    frames = video(LENGTH)
    for _, samples in frames:
        samples[0].set_metainfo(dict(scale_factor=(0.5, 2.0)))
    results = run(model, frames)
    proposals = proposals_of(model, frames)
    assert len(results) == LENGTH
    for t, result in enumerate(results):
        omega, columns = naive_omega(model, proposals, t, 2, 2)
        found, top = result.pred_det_instances, result.top_supports
        kept = [i for i, s in enumerate(found.scores.tolist()) if s >= 0.35]
        assert top.detection_inds.tolist() == kept and kept
        for row, i in enumerate(kept):
            weights = omega[int(found.proposal_inds[i])]
            best = np.argsort(-weights, kind='stable')[:3]
            np.testing.assert_allclose(top.weights[row], weights[best], atol=5e-4)
            assert top.frame_offsets[row].tolist() == [columns[c][0] - t for c in best]
            boxes = np.array(
                [
                    (proposals[columns[c][0]][1][columns[c][1]] * torch.tensor([2.0, 0.5, 2.0, 0.5])).numpy()
                    for c in best
                ]
            )
            np.testing.assert_allclose(top.bboxes[row], boxes, rtol=1e-4)


def test_supports_are_in_pixels_of_their_own_frames():
    """Every second frame is four times as large before it is resized."""
    recorders = [dict(type='TopSupports', num_supports=4, score_thr=0.35)]
    model = build(temporal_range=2, recorders=recorders)
    frames, resized = video(LENGTH), video(LENGTH)
    for t, (_, samples) in enumerate(resized):
        samples[0].set_metainfo(dict(scale_factor=(0.25, 0.25) if t % 2 else (1.0, 1.0)))
    results = run(model, frames)
    assert len(results) == LENGTH
    for t, (a, b) in enumerate(zip(results, run(model, resized), strict=True)):
        a, b = a.top_supports, b.top_supports
        scale = torch.where((a.frame_offsets + t) % 2 == 1, 4.0, 1.0)  # (k, S)
        torch.testing.assert_close(b.bboxes, a.bboxes * scale[..., None])
        assert torch.equal(a.frame_offsets, b.frame_offsets)


def test_class_scores_that_are_no_numbers_are_refused():
    model = build()
    model.detector.roi_head.bbox_head.fc_cls.weight.data.fill_(float('nan'))
    with pytest.raises(ValueError, match='frame 0: class scores became NaN'):
        run(model, video(3))


@pytest.mark.parametrize('lookahead', [0, 1, 2])
def test_look_ahead_shows_fewer_frames(lookahead):
    """The pool is t - T .. t + look-ahead; results come that much later."""
    model = build(temporal_range=2, lookahead=lookahead)
    frames, pools, counts = video(LENGTH), [], []
    original = model.stream.window.memory.aggregate

    def keep(*args):
        pools.append(model.stream.window.memory.pool()[0])
        return original(*args)

    model.stream.window.memory.aggregate = keep
    for inputs, samples in copy.deepcopy(frames):
        with torch.no_grad():
            counts.append(len(model.predict(inputs, samples)))
    assert counts == [0] * lookahead + [1] * (LENGTH - lookahead - 1) + [lookahead + 1]
    proposals = proposals_of(model, frames)
    for t, pool in enumerate(pools):
        expected = []
        for u in range(max(0, t - 2), min(LENGTH - 1, t + lookahead) + 1):
            inds = naive_relation.top_inds(proposals[u][2].tolist(), 4)
            expected.append(proposals[u][0][inds])
        torch.testing.assert_close(pool.double(), torch.cat(expected))


@pytest.mark.slow
def test_a_stream_may_look_ahead_less_than_its_model():
    model = build(temporal_range=2)
    expected = run(build(temporal_range=2, lookahead=0), video(LENGTH))
    stream = VideoStream(model, lookahead=0)
    for (inputs, samples), other in zip(video(LENGTH), expected, strict=True):
        (result,) = stream.feed_batch(inputs['img'][0], samples, rescale=True)
        assert torch.equal(result.pred_det_instances.scores, other.pred_det_instances.scores)


@pytest.mark.parametrize('value', [-1, 3, 1.5, 'all'])
def test_wrong_lookahead_is_named(value):
    with pytest.raises(ValueError, match='lookahead must be .* from 0 to 2'):
        build(temporal_range=2, lookahead=value)


def test_recorders_need_relation():
    with pytest.raises(ValueError, match='recorders need a neck'):
        MODELS.build(model_config(neck=None, recorders=[dict(type='NextFrameRelations')]))
    with pytest.raises(ValueError, match='num_supports'):
        build(recorders=[dict(type='TopSupports', num_supports=0)])
