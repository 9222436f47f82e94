# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
import torch

from helpers import naive_relation
from mmrdn.models import RelationAggregator, RelationMemory, SelectiveSupportSampler


def make(seed=0, n=4, m=6, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    aggregator = RelationAggregator(in_channels=8, num_heads=2, **kwargs).double()
    for parameter in aggregator.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.double) * 0.4

    def tensors(count):
        corner = torch.rand(count, 2, generator=generator) * 100
        size = torch.rand(count, 2, generator=generator) * 80
        boxes = torch.cat([corner, corner + size], 1).double()
        feats = torch.randn(count, 8, generator=generator, dtype=torch.double)
        return feats, boxes

    return aggregator, *tensors(n), *tensors(m)


@pytest.mark.parametrize('num_basic', [0, 1, 2, 3])
@pytest.mark.parametrize('advanced, transform', [(False, False), (True, False), (True, True)])
def test_equals_naive_loops(num_basic, advanced, transform):
    aggregator, feats, boxes, pool, pool_boxes = make(
        num_basic=num_basic, advanced=advanced, advanced_transform=transform
    )
    inds = [4, 1, 2]
    out = aggregator(feats, boxes, pool, pool_boxes, torch.tensor(inds))
    expected, omega = naive_relation.aggregate(aggregator, feats, boxes, pool, pool_boxes, inds)
    np.testing.assert_allclose(out.detach(), expected, rtol=1e-8, atol=1e-10)
    if num_basic:
        _, weights = aggregator(feats, boxes, pool, pool_boxes, torch.tensor(inds), True)
        np.testing.assert_allclose(weights.detach(), omega, rtol=1e-8, atol=1e-12)


def test_without_indices_the_whole_pool_is_advanced():
    aggregator, *tensors = make()
    torch.testing.assert_close(aggregator(*tensors), aggregator(*tensors, torch.arange(6)))


def test_nothing_changes_without_modules():
    """Table 5, N_b = 0: the single-frame detector."""
    aggregator, feats, *rest = make(num_basic=0, advanced=False)
    assert torch.equal(aggregator(feats, *rest), feats)
    assert not list(aggregator.parameters())
    with pytest.raises(ValueError, match='num_basic >= 1'):
        aggregator(feats, *rest, return_weights=True)


def test_parameter_names_stay():
    names = dict(RelationAggregator(8, 2, 3, True, True).named_parameters())
    modules = [f'basic.{k}' for k in range(3)]
    modules += ['support_relation', 'reference_relation']
    layers = [f'{module}.{part}_proj' for module in modules for part in ('query', 'key', 'value', 'geometry')] + [
        'basic_transforms.0',
        'basic_transforms.1',
        'support_transform',
    ]
    assert set(names) == {f'{layer}.{kind}' for layer in layers for kind in ('weight', 'bias')}


def test_initialization():
    """Relation modules N(0, 0.01), no bias; fcs as mmdet's shared fcs."""
    torch.manual_seed(0)
    aggregator = RelationAggregator(256, 4, 3, True, True)
    aggregator.init_weights()
    for name, parameter in aggregator.named_parameters():
        if name.endswith('bias'):
            assert not parameter.any(), name
        elif 'transform' in name:
            limit = (6 / (256 + 256)) ** 0.5  # Xavier, uniform
            assert 0.99 * limit < parameter.abs().max() <= limit, name
        else:
            assert parameter.std().item() == pytest.approx(0.01, rel=0.1), name


def test_only_the_advanced_stage_is_new_in_phase_two():
    """A phase 1 checkpoint leaves no unexpected key."""
    phase1 = RelationAggregator(8, 2, advanced=False)
    phase2 = RelationAggregator(8, 2)
    result = phase2.load_state_dict(phase1.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert {key.split('.')[0] for key in result.missing_keys} == {'support_relation', 'reference_relation'}


@pytest.mark.slow
def test_gradients():
    aggregator, feats, boxes, pool, pool_boxes = make(n=2, m=3)
    assert torch.autograd.gradcheck(
        lambda a, b: aggregator(a, boxes, b, pool_boxes, torch.tensor([2])),
        (feats.requires_grad_(), pool.requires_grad_()),
    )


@pytest.mark.parametrize('n, m', [(0, 6), (4, 0), (0, 0)])
def test_empty(n, m):
    aggregator, *tensors = make(n=n, m=m)
    assert aggregator(*tensors, torch.arange(min(m, 2))).shape == (n, 8)


# -------------------------------------------------------------------- sampler


@pytest.mark.parametrize(
    'scores, num, expected',
    [([0.1, 0.9, 0.5, 0.7], 2, [1, 3]), ([0.5, 0.5, 0.5], 2, [0, 1]), ([0.2, 0.8], 5, [1, 0]), ([], 3, [])],
)
def test_select_support(scores, num, expected):
    sampler = SelectiveSupportSampler(num_support=num)
    inds = sampler.select_support(torch.tensor(scores))
    assert inds.tolist() == expected and inds.dtype == torch.long


def test_select_advanced_by_hand():
    scores = torch.tensor([0.9, 0.1, 0.8, 0.7, 0.2, 0.3, 0.95])
    frames = [3, 4]
    pool = SelectiveSupportSampler(advanced_ratio=0.45)
    assert pool.select_advanced(scores, frames).tolist() == [6, 0, 2]
    frame = SelectiveSupportSampler(advanced_ratio=0.5, advanced_scope='frame')
    assert frame.select_advanced(scores, frames).tolist() == [0, 6, 3]


@pytest.mark.parametrize(
    'ratio, total, expected',
    [
        (0.2, 75, 15),
        (0.2, 37 * 75, 555),
        (0.29, 100, 29),
        (0.2, 4, 1),
        (0.2, 9, 1),
        (1.0, 7, 7),
        (0.1, 0, 0),
        (0.7, 10, 7),
        (0.57, 100, 57),
    ],
)
def test_share_is_rounded_down_but_at_least_one(ratio, total, expected):
    sampler = SelectiveSupportSampler(advanced_ratio=ratio)
    assert len(sampler.select_advanced(torch.rand(total), [total])) == expected


def test_frame_scope_with_empty_frames():
    sampler = SelectiveSupportSampler(advanced_ratio=0.2, advanced_scope='frame')
    inds = sampler.select_advanced(torch.tensor([0.1, 0.5]), [0, 2, 0])
    assert inds.tolist() == [1]


@pytest.mark.parametrize(
    'kwargs, match',
    [
        (dict(num_support=0), 'num_support'),
        (dict(advanced_ratio=0), 'advanced_ratio'),
        (dict(advanced_ratio=20), 'advanced_ratio'),
        (dict(advanced_scope='video'), 'advanced_scope'),
    ],
)
def test_sampler_settings_are_checked(kwargs, match):
    with pytest.raises(ValueError, match=match):
        SelectiveSupportSampler(**kwargs)
    with pytest.raises(ValueError, match='num_per_frame'):
        SelectiveSupportSampler().select_advanced(torch.rand(3), [2])


# --------------------------------------------------------------------- memory


@pytest.mark.parametrize('scope', ['pool', 'frame'])
def test_memory_equals_forward_over_its_pool(scope):
    """Frames of 5, 0, 2, 7, 3 proposals; the last three are kept."""
    aggregator, feats, boxes, all_feats, all_boxes = make(m=17)
    scores = torch.rand(17, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    sampler = SelectiveSupportSampler(3, 0.4, scope)
    memory = RelationMemory(aggregator, sampler, max_frames=3)
    start, kept = 0, []
    for num in (5, 0, 2, 7, 3):
        part = slice(start, start + num)
        memory.append(all_feats[part], all_boxes[part], scores[part])
        kept.append([start + i for i in naive_relation.top_inds(scores[part].tolist(), 3)])
        start += num
    assert len(memory) == 3
    pool = [i for frame in kept[-3:] for i in frame]
    pool_scores = scores[pool].tolist()
    if scope == 'pool':
        advanced = naive_relation.top_inds(pool_scores, int(0.4 * len(pool)))
    else:
        advanced, at = [], 0
        for frame in kept[-3:]:
            advanced += [
                at + i
                for i in naive_relation.top_inds(pool_scores[at : at + len(frame)], max(1, int(0.4 * len(frame))))
            ]
            at += len(frame)
    expected, omega = naive_relation.aggregate(aggregator, feats, boxes, all_feats[pool], all_boxes[pool], advanced)
    out, weights = memory.aggregate(feats, boxes, return_weights=True)
    np.testing.assert_allclose(out.detach(), expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(weights.detach(), omega, rtol=1e-8, atol=1e-12)
    memory.reset()
    assert len(memory) == 0
    with pytest.raises(ValueError, match='no frame'):
        memory.aggregate(feats, boxes)


def test_memory_checks_lengths():
    aggregator, feats, boxes, *_ = make()
    memory = RelationMemory(aggregator, SelectiveSupportSampler(), 2)
    with pytest.raises(ValueError, match='4, 4 and 3'):
        memory.append(feats, boxes, torch.rand(3))
    with pytest.raises(ValueError, match='max_frames'):
        RelationMemory(aggregator, SelectiveSupportSampler(), 0)
