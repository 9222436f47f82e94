# Copyright (c) mmrdn contributors. All rights reserved.
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn as nn
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import naive_relation
from helpers.memory import NaivePool, aggregator, frames
from mmrdn.benchmarks.baseline_relation import baseline_of
from mmrdn.models import ObjectRelationModule, RelationAggregator, RelationMemory, SelectiveSupportSampler
from mmrdn.models.memory import relation_memory
from mmrdn.registry import MODELS


@pytest.mark.parametrize('scope', ['pool', 'frame'])
@pytest.mark.parametrize(
    'settings',
    [
        dict(),
        dict(advanced_transform=True),
        dict(advanced=False),
        dict(num_basic=0),
        dict(num_basic=1, pixel_offset=1.0),
    ],
)
@torch.inference_mode()
def test_equals_naive_loops_while_the_window_slides(scope, settings):
    """Changing proposal counts, none at all, a window that shrinks, reset."""
    module = aggregator(**settings)
    sampler = SelectiveSupportSampler(3, 0.4, scope)
    memory = RelationMemory(module, sampler, max_frames=3)
    naive = NaivePool(module, sampler, 3)
    counts = [5, 2, 0, 7, 3, 3, 1, 0, 4, 6]
    with_weights = settings.get('num_basic', 2) > 0
    for t, frame in enumerate(frames(counts)):
        memory.append(*frame)
        naive.append(*frame)
        if t == 5:
            memory.drop_oldest()
            naive.frames.pop(0)
        if t == 7:
            memory.reset()
            assert len(memory) == 0
            naive.frames = []
            continue
        assert len(memory) == len(naive.frames)
        feats, boxes = next(frames([4], seed=t + 1))[:2]
        expected, omega = naive.aggregate(feats, boxes)
        out = memory.aggregate(feats, boxes, return_weights=with_weights)
        if with_weights:
            out, weights = out
            np.testing.assert_allclose(weights, omega, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(out, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans()), max_size=15),
    st.booleans(),
)
def test_holds_what_a_list_would_hold(max_frames, num_support, steps, stepped):
    """Any order of appending, dropping and looking, against a plain list; as on an accelerator too."""
    with mock.patch.object(relation_memory, '_steps_on', lambda device: stepped):
        held, memory = follow_a_list(max_frames, num_support, steps)
    capacity = max_frames * num_support
    rows = (capacity + max(1, capacity // 4)) * 8 * (8 + 1 + 4 * 8 + 4 + 33)  # feats, slot, keys, values, terms
    assert memory.nbytes() <= held + rows + (capacity + 1) * 8 * (8 + max_frames * (8 + 2))


def follow_a_list(max_frames, num_support, steps):
    """Do the same to a memory and a list, and compare; return the bytes of the list and the memory."""
    module, sampler = aggregator(num_basic=1), SelectiveSupportSampler(num_support, 0.5)
    memory, expected = RelationMemory(module, sampler, max_frames), []
    query, boxes = next(frames([3], seed=99))[:2]
    for t, (num, drop, look) in enumerate(steps):
        for _ in range(min(drop, len(expected))):
            memory.drop_oldest()
            expected.pop(0)
        frame = next(frames([num], seed=t))
        with torch.no_grad():
            memory.append(*frame)
        inds = sampler.select_support(frame[2])
        expected = [*expected, [part[inds] for part in frame]][-max_frames:]
        assert memory.num_per_frame == [len(part) for part, *_ in expected]
        pool = [torch.cat(part) for part in zip(*expected)]
        for part, own in zip(memory.pool(), pool):
            assert torch.equal(part, own)
        if look:
            with torch.no_grad():
                out, weights = memory.aggregate(query, boxes, return_weights=True)
                inds = sampler.select_advanced(pool[2], memory.num_per_frame)
                right, right_weights = module(query, boxes, *pool[:2], inds, return_weights=True)
            torch.testing.assert_close(out, right)
            torch.testing.assert_close(weights, right_weights)
    return sum(part.nbytes for frame in expected for part in frame), memory


@pytest.mark.parametrize('stepped', [False, True])
def test_frames_may_come_from_inference_mode_and_not(stepped, monkeypatch):
    monkeypatch.setattr(relation_memory, '_steps_on', lambda device: stepped)
    module = aggregator()
    memory = RelationMemory(module, SelectiveSupportSampler(3, 0.4), 2)
    for t, frame in enumerate(frames([3, 4, 5, 3, 6])):
        with torch.inference_mode() if t % 2 == 0 else torch.no_grad():
            memory.append(*frame)
            out = memory.aggregate(*frame[:2])
            feats, boxes, scores, nums = memory.pool()
            inds = memory.sampler.select_advanced(scores, nums)
            torch.testing.assert_close(out, module(*frame[:2], feats, boxes, inds))


@pytest.mark.parametrize('scope', ['pool', 'frame'])
def test_no_drift_over_500_frames_in_fp32(scope):
    """The forward pass over the whole pool, from the first to the last."""
    module = aggregator(64, 4, dtype=torch.float32, advanced_transform=True)
    sampler = SelectiveSupportSampler(9, 0.3, scope)
    memory = RelationMemory(module, sampler, max_frames=7)
    counts = np.random.default_rng(0).integers(5, 14, 500)
    errors = []
    for feats, boxes, scores in frames(counts, 64, dtype=torch.float32):
        memory.append(feats, boxes, scores)
        with torch.no_grad():
            out = memory.aggregate(feats, boxes)
            pool, pool_boxes, pool_scores, nums = memory.pool()
            expected = module(feats, boxes, pool, pool_boxes, sampler.select_advanced(pool_scores, nums))
        errors.append(((out - expected).norm() / expected.norm()).item())
    assert max(errors) < 1e-5
    assert np.mean(errors[-50:]) < 3 * np.mean(errors[20:70]) + 1e-7


@torch.inference_mode()
def test_each_support_is_projected_once():
    """Keys and values of the basic stage and Eq. 6, however long it stays."""
    module = aggregator()
    rows = dict()
    for name in ('basic.0.key_proj', 'basic.1.value_proj', 'support_relation.key_proj', 'support_relation.value_proj'):

        def count(_, args, name=name):
            rows[name] = rows.get(name, 0) + len(args[0])

        module.get_submodule(name).register_forward_pre_hook(count)
    memory = RelationMemory(module, SelectiveSupportSampler(3, 0.4), 4)
    for frame in frames([3, 5, 2, 3, 4, 6]):
        memory.append(*frame)
        memory.aggregate(*frame[:2])
    assert set(rows.values()) == {3 + 3 + 2 + 3 + 3 + 3} and len(rows) == 4


@pytest.mark.slow
@torch.inference_mode()
def test_state_does_not_grow():
    memory = RelationMemory(aggregator(), SelectiveSupportSampler(3, 0.4), 4)
    sizes = []
    for frame in frames([5] * 60):
        memory.append(*frame)
        memory.aggregate(*frame[:2])
        sizes.append(memory.nbytes())
    assert len(set(sizes[6:])) == 1
    assert sizes[-1] > 12 * (8 + 4 + 1) * 8  # the pool itself, and more


def test_gradients_flow_where_they_are_wanted():
    module = aggregator()
    memory = RelationMemory(module, SelectiveSupportSampler(3, 0.4), 4)
    feats, boxes, scores = next(frames([5]))
    memory.append(feats.requires_grad_(), boxes, scores)
    memory.aggregate(feats, boxes).sum().backward()
    assert feats.grad is not None
    assert all(p.grad is not None for p in module.parameters())


@MODELS.register_module()
class MeanRelation(nn.Module):
    """A relation that is none of ours: adds the mean of the supports."""

    def __init__(self, embed_dims, num_heads):
        super().__init__()

    def forward(self, feats, boxes, support_feats, support_boxes):
        return feats + support_feats.mean(0)


@torch.inference_mode()
def test_other_relation_modules_see_the_whole_pool():
    module = RelationAggregator(8, 2, num_basic=1, relation=dict(type='MeanRelation'))
    assert not module.caches_supports
    memory = RelationMemory(module, SelectiveSupportSampler(2, 1.0), 2)
    chosen = []
    for feats, boxes, scores in frames([4, 4, 4]):
        memory.append(feats, boxes, scores)
        chosen.append(feats[naive_relation.top_inds(scores.tolist(), 2)].numpy())
    pool = np.concatenate(chosen[-2:])
    # Eq. 3-4, then Eq. 6 moves each support by the mean, then Eq. 7.
    expected = feats.numpy() + pool.mean(0) + (pool + pool.mean(0)).mean(0)
    np.testing.assert_allclose(memory.aggregate(feats, boxes), expected)


@pytest.mark.parametrize(
    'settings', [dict(), dict(advanced=False, num_basic=3), dict(advanced_transform=True, pixel_offset=1.0)]
)
def test_the_baseline_gives_the_same_numbers(settings):
    """The benchmark compares with the paper's Eq. 3-7 too."""
    module = aggregator(**settings)
    feats, boxes, _ = next(frames([4]))
    pool, pool_boxes, _ = next(frames([7], seed=1))
    inds = [5, 0, 3]
    baseline = baseline_of(module)
    assert not baseline.caches_supports
    out, weights = baseline(feats, boxes, pool, pool_boxes, torch.tensor(inds), return_weights=True)
    expected, omega = naive_relation.aggregate(module, feats, boxes, pool, pool_boxes, inds)
    np.testing.assert_allclose(out.detach(), expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(weights.detach(), omega, rtol=1e-8, atol=1e-12)


def test_wrong_shapes_are_named():
    memory = RelationMemory(aggregator(), SelectiveSupportSampler(), 2)
    feats, boxes, scores = next(frames([4]))
    memory.append(feats, boxes, scores)
    with torch.no_grad(), pytest.raises(ValueError, match=r'feats must be'):
        memory.aggregate(feats[:, :5], boxes)


@pytest.mark.slow
def test_a_module_alone_works_in_tiles():
    """More queries and supports than fit into one tile."""
    torch.manual_seed(0)
    module = ObjectRelationModule(16, 2).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    feats, boxes, _ = next(frames([70], 16))
    pool, pool_boxes, _ = next(frames([1000], 16, seed=1))
    out, weights = module(feats, boxes, pool, pool_boxes, True)
    some = [0, 61, 62, 63, 69]  # a tile has 62 rows and 480 columns
    expected, omega = naive_relation.relation(module, feats[some], boxes[some], pool, pool_boxes)
    np.testing.assert_allclose(out.detach()[some], expected, rtol=1e-8)
    np.testing.assert_allclose(weights.detach()[some], omega, rtol=1e-8)


def test_a_subclass_with_its_own_forward_is_called():
    class Twice(ObjectRelationModule):
        def forward(self, *args, return_weights=False):
            out = super().forward(*args, return_weights=return_weights)
            return (2 * out[0], out[1]) if return_weights else 2 * out

    class Renamed(ObjectRelationModule):
        """Adds nothing."""

    assert not Twice.caches_supports and Renamed.caches_supports
    aggregator = RelationAggregator(in_channels=8, num_heads=2, num_basic=1, advanced=False)
    aggregator.basic[0].__class__ = Twice
    memory = RelationMemory(aggregator, SelectiveSupportSampler(num_support=3), 2)
    rng = torch.Generator().manual_seed(0)
    feats, boxes = torch.randn(3, 8, generator=rng), torch.rand(3, 4, generator=rng).cumsum(1) * 20
    memory.append(feats, boxes, torch.arange(3, 0, -1.0))
    with torch.no_grad():
        torch.testing.assert_close(memory.aggregate(feats, boxes), aggregator(feats, boxes, feats, boxes))


def test_a_sampler_that_keeps_too_many():
    class Greedy(SelectiveSupportSampler):
        def select_support(self, scores):
            return torch.arange(len(scores))

    memory = RelationMemory(RelationAggregator(in_channels=8, num_heads=2), Greedy(num_support=4), 2)
    with pytest.raises(ValueError, match='the sampler chose 9 supports, expected 4 at most'):
        memory.append(torch.zeros(9, 8), torch.zeros(9, 4), torch.zeros(9))
