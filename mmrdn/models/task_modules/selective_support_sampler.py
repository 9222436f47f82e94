# Copyright (c) mmrdn contributors. All rights reserved.
"""Choice of supports and advanced supports: paper sections 3.1 and 5.2, Algorithm 1.

Deviations from the paper, off by default: ``advanced_scope='frame'`` takes r% of each frame instead
of r% of the whole pool, as public re-implementations do.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class SelectiveSupportSampler:
    """Keep the proposals with the highest objectness.

    Args:
        num_support (int): K, proposals kept of each support frame.
        advanced_ratio (float): r / 100, the share of the pool that becomes the advanced supports,
            in (0, 1].
        advanced_scope (str): ``'pool'``: the highest objectness of the whole pool (the paper);
            ``'frame'``: of each frame.
    """

    def __init__(self, num_support: int = 75, advanced_ratio: float = 0.2, advanced_scope: str = 'pool') -> None:
        if num_support < 1:
            raise ValueError(f'num_support must be 1 or more, got {num_support}')
        if not 0 < advanced_ratio <= 1:
            raise ValueError(f'advanced_ratio must be in (0, 1], got {advanced_ratio}')
        if advanced_scope not in ('pool', 'frame'):
            raise ValueError(f"advanced_scope must be 'pool' or 'frame', got {advanced_scope!r}")
        self.num_support = num_support
        self.advanced_ratio = advanced_ratio
        self.advanced_scope = advanced_scope

    def select_support(self, scores: Tensor) -> Tensor:
        """Select the top K proposals of one frame.

        Args:
            scores (Tensor): (P,) objectness.

        Returns:
            Tensor: (min(K, P),) indices, highest objectness first; among equals the lower index
            comes first.
        """
        return _highest(scores, self.num_support)

    def select_advanced(self, scores: Tensor, num_per_frame: Sequence[int]) -> Tensor:
        """Select the top r% of the pool, rounded down, at least one.

        Args:
            scores (Tensor): (M,) objectness of the concatenated pool.
            num_per_frame (Sequence[int]): Number of proposals of each frame, M in all.

        Returns:
            Tensor: (A,) indices into the concatenated pool; none for an empty pool.
        """
        if sum(num_per_frame) != len(scores):
            raise ValueError(
                f'num_per_frame must sum to {len(scores)}, the number of scores, got {list(num_per_frame)}'
            )
        if self.advanced_scope == 'pool':
            return _highest(scores, self.num_advanced(len(scores)))
        inds = torch.arange(len(scores), device=scores.device)
        frames = inds.split([*num_per_frame, 0])
        return torch.cat([frame[_highest(scores[frame], self.num_advanced(len(frame)))] for frame in frames])

    def num_advanced(self, num: int) -> int:
        """Return r% of ``num`` supports, at least one, rounded down although 0.29 * 100 < 29 in floats."""
        return max(1, math.floor(self.advanced_ratio * num + 1e-6))


def _highest(scores: Tensor, num: int) -> Tensor:
    """Return the indices of the ``num`` highest scores, ties by the lower index."""
    return scores.argsort(descending=True, stable=True)[:num]
