# Copyright (c) mmrdn contributors. All rights reserved.
"""Attention of a relation module: ours against ``torch.nn.functional.scaled_dot_product_attention``.

Ours works in tiles where there are many supports, and is a plain softmax where one tile has them all.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrdn.benchmarks.relation import check_equal, random_aggregator, random_proposals
from mmrdn.benchmarks.timing import summary, take_turns
from mmrdn.models.necks.projected_supports import ProjectedSupports

SIZES = ((300, 2775, False), (128, 225, True))


def time_attention(repeats: int, seed: int = 0, sizes: Sequence[tuple[int, int, bool]] = SIZES) -> dict[str, dict]:
    """Time Eq. 1-2 for projected supports; by default in testing at T = 18 and in training.

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
            times = take_turns(runs, repeats)
            if training:
                both = {f'{name}, with backward': lambda run=run: run().sum().backward() for name, run in runs.items()}
                times.update(take_turns(both, repeats))
        result.update({name: summary(seconds) for name, seconds in times.items()})
    return result
