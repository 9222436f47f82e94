# Copyright (c) mmrdn contributors. All rights reserved.
"""Small aggregators, frames of proposals, and Algorithm 1's pool in lists."""

import torch

from helpers import naive_relation
from mmrdn.models import RelationAggregator


def aggregator(channels=8, heads=2, seed=0, dtype=torch.double, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    module = RelationAggregator(channels, heads, **kwargs).to(dtype)
    for parameter in module.parameters():
        std = 0.4 if parameter.ndim == 1 else 1.5 * parameter.shape[1] ** -0.5
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=dtype) * std
    return module


def frames(counts, channels=8, seed=0, dtype=torch.double):
    """Features, boxes and scores; scores with ties."""
    generator = torch.Generator().manual_seed(seed)
    for num in counts:
        corner = torch.rand(num, 2, generator=generator, dtype=dtype) * 200
        size = torch.rand(num, 2, generator=generator, dtype=dtype) * 100
        scores = torch.rand(num, generator=generator, dtype=dtype)
        yield (
            torch.randn(num, channels, generator=generator, dtype=dtype),
            torch.cat([corner, corner + size], 1),
            (scores * 20).round() / 20,
        )


class NaivePool:
    """Algorithm 1's pool in lists, aggregated by float64 loops."""

    def __init__(self, module, sampler, max_frames):
        self.module, self.sampler = module, sampler
        self.max_frames, self.frames = max_frames, []

    def append(self, feats, boxes, scores):
        inds = naive_relation.top_inds(scores.tolist(), self.sampler.num_support)
        self.frames.append([(feats[i].numpy(), boxes[i].numpy(), scores[i].item()) for i in inds])
        self.frames = self.frames[-self.max_frames :]

    def advanced(self):
        ratio, counts = self.sampler.advanced_ratio, []
        scores = [s for frame in self.frames for *_, s in frame]
        if self.sampler.advanced_scope == 'pool':
            return naive_relation.top_inds(scores, max(1, int(ratio * len(scores) + 1e-6)))
        start, inds = 0, []
        for frame in self.frames:
            part = scores[start : start + len(frame)]
            num = max(1, int(ratio * len(part) + 1e-6))
            inds += [start + i for i in naive_relation.top_inds(part, num)]
            start += len(frame)
            counts.append(len(frame))
        return inds

    def aggregate(self, feats, boxes):
        pool = [row for frame in self.frames for row in frame]
        return naive_relation.aggregate(
            self.module, feats.numpy(), boxes.numpy(), [r[0] for r in pool], [r[1] for r in pool], self.advanced()
        )


def padded(step, proposals):
    """The sampler's choice of a frame in K rows, garbage behind it, and its number."""
    feats, boxes, scores = proposals
    inds = step.sampler.select_support(scores)
    rest = step.sampler.num_support - len(inds)
    parts = (part[inds] for part in (feats, boxes, scores))
    rows = [torch.cat([part, part.new_full((rest, *part.shape[1:]), torch.nan)]) for part in parts]
    return (*rows, len(inds))
