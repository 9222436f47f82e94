# Copyright (c) mmrdn contributors. All rights reserved.
"""mmtrack's SELSA in RDN and RDN's relation in SELSA, against plain loops."""

import math

import numpy as np
import pytest
import torch
from mmtrack.models import SelsaAggregator

from helpers.rdn import model_config, sample, tiny_model, training_batch
from mmrdn.models import (
    ObjectRelationAggregator,
    ObjectRelationModule,
    RelationAggregator,
    RelationMemory,
    SelectiveSupportSampler,
    SelsaRelation,
)
from mmrdn.registry import MODELS


def randomize(module, seed=0):
    """Weights large enough to matter, in float64."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.double().parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.double) * 0.6
    return module


def tensors(n=3, m=5, channels=8, seed=0):
    """Features and boxes of queries and of supports."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.rand(*shape, generator=generator, dtype=torch.double) * scale
        for shape, scale in (((n, channels), 2), ((n, 4), 99), ((m, channels), 2), ((m, 4), 99))
    ]


def attend(layers, x, supports, heads):
    """Heads by loops: ((N, C) weighted values, (N, M) mean weights).

    Args:
        layers: Linear layers of queries, keys and values.
    """
    query, key, value = (
        [
            [sum(w * f for w, f in zip(row, feat)) + b for row, b in zip(layer.weight.tolist(), layer.bias.tolist())]
            for feat in feats.tolist()
        ]
        for layer, feats in zip(layers, (x, supports, supports))
    )
    dim = x.shape[1] // heads
    out = np.zeros(tuple(x.shape))
    mean = np.zeros((len(x), len(supports)))
    for i in range(len(x)):
        for m in range(heads):
            own = range(m * dim, (m + 1) * dim)
            exps = [math.exp(sum(query[i][c] * k[c] for c in own) / math.sqrt(dim)) for k in key]
            for j, e in enumerate(exps):
                mean[i, j] += e / sum(exps) / heads
                for c in own:
                    out[i, c] += e / sum(exps) * value[j][c]
    return out, mean


def selsa_by_hand(aggregator, x, supports):
    """mmtrack's aggregator: heads, then one more layer."""
    values, mean = attend(
        (aggregator.fc_embed, aggregator.ref_fc_embed, aggregator.ref_fc), x, supports, aggregator.num_attention_blocks
    )
    weight, bias = (p.detach().numpy() for p in aggregator.fc.parameters())
    return values @ weight.T + bias, mean


# ------------------------------------------ RDN's module in SELSA's box head


@pytest.mark.parametrize('n, m', [(3, 5), (1, 1), (4, 2)])
def test_object_relation_aggregator_is_appearance_only(n, m):
    module = randomize(ObjectRelationAggregator(8, 2))
    x, _, supports, _ = tensors(n, m)
    relation = module.relation
    expected, _ = attend((relation.query_proj, relation.key_proj, relation.value_proj), x, supports, 2)
    np.testing.assert_allclose(module(x, supports).detach(), expected, rtol=1e-9)


def test_object_relation_aggregator_is_the_module_of_one_box():
    """Without the features themselves, which SELSA's head adds."""
    module = randomize(ObjectRelationAggregator(8, 2))
    module.relation.geometry_proj.bias.data.abs_().add_(9)  # none is clamped
    x, _, supports, _ = tensors()
    box = torch.tensor([[3.0, 4.0, 30.0, 50.0]], dtype=torch.double)
    expected = module.relation(x, box.expand(3, 4), supports, box.expand(5, 4)) - x
    torch.testing.assert_close(module(x, supports), expected)


def test_object_relation_aggregator_takes_the_weights_of_an_rdn():
    source = randomize(ObjectRelationModule(8, 2), seed=3)
    module = ObjectRelationAggregator(8, 2).double()
    module.relation.load_state_dict(source.state_dict())
    x, _, supports, _ = tensors()
    out = module(x, supports)
    out.sum().backward()
    for kind in ('query', 'key', 'value'):
        layer = module.relation.get_submodule(f'{kind}_proj')
        assert layer.weight.grad.abs().sum() > 0
    assert {name for name, p in module.named_parameters() if not p.requires_grad} == {
        'relation.geometry_proj.weight',
        'relation.geometry_proj.bias',
    }


def test_object_relation_aggregator_without_proposals():
    module = ObjectRelationAggregator(8, 2)
    x, _, supports, _ = (t.float() for t in tensors())
    assert torch.equal(module(x, supports[:0]), torch.zeros(3, 8))
    assert module(x[:0], supports).shape == (0, 8)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = module(x, supports)
    torch.testing.assert_close(found, module(x, supports), rtol=0.05, atol=0.05)


def test_selsas_head_adds_what_the_aggregator_returns():
    """Built as mmtrack builds it; each fc has one."""
    head = MODELS.build(
        dict(
            _scope_='mmdet',
            type='mmtrack.SelsaBBoxHead',
            in_channels=4,
            roi_feat_size=1,
            fc_out_channels=8,
            num_shared_fcs=2,
            num_classes=3,
            aggregator=dict(type='mmrdn.ObjectRelationAggregator', in_channels=8, num_attention_blocks=2),
        )
    )
    randomize(head)
    x, _, supports, _ = tensors(channels=4)
    cls_score, _ = head(x[..., None, None], supports[..., None, None])
    for fc, aggregator in zip(head.shared_fcs, head.aggregator):
        x, supports = fc(x), fc(supports)
        relation = aggregator.relation
        values, _ = attend((relation.query_proj, relation.key_proj, relation.value_proj), x, supports, 2)
        x, supports = (x + torch.from_numpy(values)).relu(), supports.relu()
    torch.testing.assert_close(cls_score, head.fc_cls(x))


# ------------------------------------- SELSA's aggregator as RDN's relation


@pytest.mark.parametrize('n, m', [(3, 5), (1, 1), (4, 2)])
def test_selsa_relation_equals_loops(n, m):
    module = randomize(SelsaRelation(8, 2))
    assert type(module.aggregator) is SelsaAggregator
    feats, boxes, supports, support_boxes = tensors(n, m)
    out, weights = module(feats, boxes, supports, support_boxes, return_weights=True)
    added, mean = selsa_by_hand(module.aggregator, feats, supports)
    np.testing.assert_allclose(out.detach(), feats + added, rtol=1e-9)
    np.testing.assert_allclose(weights.detach(), mean, rtol=1e-9)
    assert torch.equal(module(feats, boxes, supports, support_boxes), out)
    other = module(feats, boxes + 9, supports, support_boxes / 2)
    assert torch.equal(other, out)  # boxes are not read


def test_selsa_relation_without_proposals():
    module = randomize(SelsaRelation(8, 2))
    feats, boxes, supports, support_boxes = tensors()
    out, weights = module(feats, boxes, supports[:0], support_boxes[:0], True)
    assert torch.equal(out, feats) and weights.shape == (3, 0)
    out, weights = module(feats[:0], boxes[:0], supports, support_boxes, True)
    assert out.shape == (0, 8) and weights.shape == (0, 5)


def test_selsa_relation_refuses_heads_that_do_not_fit():
    with pytest.raises(ValueError) as error:
        SelsaRelation(8, 3)
    assert str(error.value) == ('embed_dims must be a multiple of num_heads, got 8 and 3')


def selsa_aggregator(**kwargs):
    return randomize(RelationAggregator(8, 2, relation=dict(type='mmrdn.SelsaRelation'), **kwargs))


@pytest.mark.parametrize('grad', [True, False])
def test_memory_with_selsa_equals_loops(grad):
    """Eq. 3-7 with SELSA's relation, in training and in testing."""
    module = selsa_aggregator()
    assert not module.caches_supports
    memory = RelationMemory(module, SelectiveSupportSampler(4, 0.5), 2)
    frames = [tensors(6, 1, seed=i)[:2] for i in range(3)]
    scores = torch.tensor([0.1, 0.9, 0.3, 0.8, 0.5, 0.2], dtype=torch.double)
    with torch.set_grad_enabled(grad):
        for feats, boxes in frames:
            memory.append(feats, boxes, scores)
        out, weights = memory.aggregate(*frames[2], return_weights=True)
    kept = [1, 3, 4, 2]  # top 4; the window holds the last two frames
    pool = torch.cat([frames[1][0][kept], frames[2][0][kept]])
    advanced = [0, 4, 1, 5]  # the top half of eight, scores .9 .9 .8 .8

    def relate(relation, feats, supports):
        added, omega = selsa_by_hand(relation.aggregator, feats, supports)
        return feats + torch.from_numpy(added), omega

    feats, _ = relate(module.basic[0], frames[2][0], pool)
    feats = module.basic_transforms[0](feats).relu()
    feats, omega = relate(module.basic[1], feats, pool)
    refined, _ = relate(module.support_relation, pool[advanced], pool)
    feats, _ = relate(module.reference_relation, feats, refined)
    torch.testing.assert_close(out, feats)
    np.testing.assert_allclose(weights.detach(), omega, rtol=1e-9)


def selsa_rdn(**kwargs):
    return tiny_model(
        model_config(
            neck=dict(
                type='mmrdn.RelationAggregator', in_channels=24, num_heads=4, relation=dict(type='mmrdn.SelsaRelation')
            ),
            **kwargs,
        )
    )


def test_losses_reach_every_parameter_of_selsa():
    model = selsa_rdn().train()
    total, _ = model.parse_losses(model.loss(*training_batch(2, 2)))
    total.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []
    assert any('aggregator.ref_fc.weight' in name for name, _ in model.named_parameters())


@torch.no_grad()
def test_streaming_with_selsa_equals_each_pool_from_scratch():
    """And its attention links the boxes of consecutive frames."""
    recorders = [dict(type='NextFrameRelations', score_thr=0.0)]
    model = selsa_rdn(temporal_range=1, recorders=recorders)
    imgs, found, results = torch.rand(4, 3, 64, 80), [], []
    detect = model.detector.roi_head.detect

    def keep(feats, frame, rescale):
        found.append((feats, frame))
        return detect(feats, frame, rescale)

    model.detector.roi_head.detect = keep
    for t, img in enumerate(imgs):
        results += model.predict(dict(img=img[None, None]), [sample((64, 80), 1, t, 4)])
    assert len(found) == len(results) == 4
    for t, (feats, frame) in enumerate(found):
        pool = []
        for _, other in found[max(0, t - 1) : t + 2]:
            inds = other.scores.argsort(descending=True, stable=True)[:4]
            pool.append((other.feats[inds], other.boxes[inds], other.scores[inds]))
        pool, boxes, scores = (torch.cat(part) for part in zip(*pool))
        advanced = scores.argsort(descending=True, stable=True)
        expected, weights = model.neck(
            frame.feats, frame.boxes, pool, boxes, advanced[: len(pool) // 2], return_weights=True
        )
        torch.testing.assert_close(feats, expected, rtol=1e-4, atol=1e-5)
        inds = results[t].pred_det_instances.proposal_inds
        ahead = [] if t == 3 else range(len(pool) - 4, len(pool))
        torch.testing.assert_close(results[t].link_relations.weights, weights[inds][:, list(ahead)])
