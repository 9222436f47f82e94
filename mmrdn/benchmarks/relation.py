# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation alone: the baseline, the aggregator, the memory; its attention against torch's."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrdn.benchmarks.baseline_relation import baseline_of
from mmrdn.benchmarks.timing import take_turns
from mmrdn.models import RelationAggregator, RelationMemory, SelectiveSupportSampler
from mmrdn.models.necks.projected_supports import ProjectedSupports

# Tables 4, 6 and 7 of the paper.
TEMPORAL_RANGES = (3, 6, 9, 12, 15, 18, 21, 24)
NUM_SUPPORTS = (25, 50, 100, 200, 300)
RATIOS = (10, 20, 40, 60, 100)
# Queries, supports, whether in training: testing at T = 18, and training.
ATTENTION_SIZES = ((300, 2775, False), (128, 225, True))
# Bytes of one encoding of Eq. 6 above which the baseline is left out.
_MOST_BYTES = 1.2e9


class Setting(NamedTuple):
    """The values that the paper varies."""

    temporal_range: int = 18  # T
    num_support: int = 75  # K
    percent: int = 20  # r

    @property
    def pool(self) -> int:
        """int: M."""
        return (2 * self.temporal_range + 1) * self.num_support

    @property
    def advanced(self) -> int:
        """int: A."""
        return self.pool * self.percent // 100


def random_aggregator(seed: int) -> RelationAggregator:
    """Build an aggregator of the paper's size with weights large enough to matter."""
    torch.manual_seed(seed)
    aggregator = RelationAggregator()
    for parameter in aggregator.parameters():
        std = 0.3 if parameter.ndim == 1 else parameter.shape[1] ** -0.5
        torch.nn.init.normal_(parameter, std=std)
    return aggregator


def random_proposals(num: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw features (n, 1024), boxes (n, 4) in 600 x 1000 pixels and scores (n,)."""
    corner = torch.rand(num, 2) * torch.tensor([800.0, 400.0])
    boxes = torch.cat([corner, corner + 4 + torch.rand(num, 2) * 196], 1)
    return torch.randn(num, 1024).relu(), boxes, torch.rand(num)


def check_equal(expected: Tensor, found: Tensor, name: str, tolerance: float = 1e-3) -> None:
    """Refuse to time a contender that computes something else.

    Raises:
        ValueError: The difference exceeds a share ``tolerance`` of the norm.
    """
    error = ((found - expected).detach().norm() / expected.detach().norm()).item()
    if not error < tolerance:
        raise ValueError(
            f'{name} differs from the baseline by {error:.1e} of the norm, expected less than {tolerance:g}'
        )


@torch.inference_mode()
def time_relation(
    setting: Setting, repeats: int, seed: int = 0, num: int = 300, tolerance: float = 1e-3
) -> dict[str, dict | None]:
    """Time relation for a frame in the middle of a video.

    Args:
        setting (Setting): T, K and r.
        repeats (int): Frames that count.
        seed (int): Seed of weights and proposals.
        num (int): N, proposals of a frame.
        tolerance (float): See :func:`check_equal`.

    Returns:
        dict[str, dict or None]: Summaries of ``baseline``, ``forward`` and ``memory``, None where
        too much memory is needed; ``state_bytes``.
    """
    aggregator = random_aggregator(seed)
    sampler = SelectiveSupportSampler(setting.num_support, setting.percent / 100)
    memory = RelationMemory(aggregator, sampler, 2 * setting.temporal_range + 1)
    for _ in range(memory.max_frames):
        memory.append(*random_proposals(num))
    frames = itertools.cycle([random_proposals(num) for _ in range(8)])
    memory.aggregate(*next(frames)[:2])
    feats, boxes, _ = random_proposals(num)
    pool, pool_boxes, scores, nums = memory.pool()
    inds = sampler.select_advanced(scores, nums)
    inputs = (feats, boxes, pool, pool_boxes, inds)

    def step() -> None:
        frame = next(frames)
        memory.append(*frame)
        memory.aggregate(*frame[:2])

    contenders = dict(forward=lambda: aggregator(*inputs), memory=step)
    expected = memory.aggregate(feats, boxes)
    if setting.advanced * setting.pool * 64 * 4 < _MOST_BYTES:
        baseline = baseline_of(aggregator)
        contenders['baseline'] = lambda: baseline(*inputs)
        expected = baseline(*inputs)
        check_equal(expected, memory.aggregate(feats, boxes), 'the memory', tolerance)
    check_equal(expected, aggregator(*inputs), 'the aggregator', tolerance)
    times = take_turns(contenders, repeats)
    return dict({name: times.get(name) for name in ('baseline', 'forward', 'memory')}, state_bytes=memory.nbytes())


def saved_bytes(run) -> int:
    """Return the bytes that autograd keeps for the backward pass of a function."""
    storages = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run()
    return sum(num for num, _ in storages.values())


def time_training(repeats: int, seed: int = 0, num: int = 128, num_support: int = 75) -> dict[str, dict]:
    """Time a training step's relation: 128 RoIs, a pool of three frames.

    Args:
        repeats (int): Rounds that count.
        seed (int): Seed of weights and proposals.
        num (int): N, proposals of the key frame.
        num_support (int): K, supports of each frame.

    Returns:
        dict[str, dict]: For ``baseline`` and ``forward`` the seconds of the forward pass and of
        both passes, and the bytes kept for the backward pass.
    """
    aggregator = random_aggregator(seed)
    feats, boxes, _ = random_proposals(num)
    pool, pool_boxes, scores = random_proposals(3 * num_support)
    inds = SelectiveSupportSampler().select_advanced(scores, [num_support] * 3)
    inputs = (feats.requires_grad_(), boxes, pool.requires_grad_(), pool_boxes, inds)
    baseline = baseline_of(aggregator)
    runs = dict(baseline=lambda: baseline(*inputs), forward=lambda: aggregator(*inputs))
    check_equal(runs['baseline'](), runs['forward'](), 'the aggregator')
    forward = take_turns(runs, repeats)
    both = take_turns({name: lambda run=run: run().sum().backward() for name, run in runs.items()}, repeats)
    return {
        name: dict(forward=forward[name], forward_backward=both[name], saved_bytes=saved_bytes(run))
        for name, run in runs.items()
    }


def time_attention(
    repeats: int, seed: int = 0, sizes: Sequence[tuple[int, int, bool]] = ATTENTION_SIZES
) -> dict[str, dict]:
    """Time Eq. 1-2 for projected supports: ours against ``scaled_dot_product_attention``.

    Ours works in tiles where there are many supports, and is a plain softmax where one tile has
    them all.

    Args:
        repeats (int): Rounds that count.
        seed (int): Seed of weights and proposals.
        sizes (Sequence[tuple[int, int, bool]]): Queries, supports, whether in training.

    Returns:
        dict[str, dict]: Summary of seconds by contender and size.
    """
    module, result = random_aggregator(seed).basic[0], {}
    for num, num_supports, training in sizes:
        (feats, boxes, _), (support_feats, support_boxes, _) = random_proposals(num), random_proposals(num_supports)
        key, value = (part.detach().requires_grad_(training) for part in module.project(support_feats))
        supports = ProjectedSupports({module: (key, value)}, module.box_terms(support_boxes))

        def ours() -> Tensor:
            blocks = supports.query_blocks(boxes)
            return torch.cat([supports.prepare([module], queries)[0](feats[rows])[0] for rows, queries in blocks])

        def fused() -> Tensor:
            outs = []
            for rows, queries in supports.query_blocks(boxes):
                mask = torch.cat([tile[0] for tile in supports.geometry([module], queries)], -1).log()  # (G, n, M)
                batch = (part[None] for part in (module.query(feats[rows]), key, value))  # (1, G, n or M, d)
                values = F.scaled_dot_product_attention(*batch, attn_mask=mask[None], scale=1.0)
                outs.append(module.augment(feats[rows], values[0]))
            return torch.cat(outs)

        with torch.set_grad_enabled(training):
            check_equal(fused(), ours(), 'the module')
            runs = {f'{run.__name__}, {num} x {num_supports}': run for run in (ours, fused)}
            result.update(take_turns(runs, repeats))
            if training:
                both = {f'{name}, with backward': lambda run=run: run().sum().backward() for name, run in runs.items()}
                result.update(take_turns(both, repeats))
    return result
