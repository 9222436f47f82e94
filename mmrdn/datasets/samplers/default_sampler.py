# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterator

from mmengine.dataset import DefaultSampler as _DefaultSampler

from mmrdn.datasets.seeded_index import SeededIndex
from mmrdn.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class DefaultSampler(_DefaultSampler):
    """MMEngine's sampler of epochs, whose indices carry their randomness as those of ``SeededInfiniteSampler``.

    Data sets for testing get plain indices.
    """

    def __iter__(self) -> Iterator[int]:
        indices = super().__iter__()
        if getattr(self.dataset, 'test_mode', False):
            return indices
        first = self.epoch * self.total_size + self.rank
        return (SeededIndex(index, self.seed, first + i * self.world_size) for i, index in enumerate(indices))
