# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler

from mmrdn.datasets.seeded_index import SeededIndex
from mmrdn.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """MMEngine's ``InfiniteSampler`` whose indices carry their randomness.

    What a data set of :class:`SeededSamples` (all of mmrdn, and its wrappers of others) draws for a
    sample (support frames, flips) then depends on the training's seed and on the sample's position in
    the training alone: neither on the number of workers nor on whether the training was interrupted.
    Other data sets get a warning. See :class:`mmrdn.engine.IterSeedHook` for what the model draws.

    Args:
        dataset (Sized): The data set.
        shuffle (bool): Whether to shuffle it.
        seed (int, optional): Seed of the runner; a random one, the same on all ranks, if not given.
    """

    def _indices_of_rank(self) -> Iterator[SeededIndex]:
        """Every ``world_size``-th index, from the ``rank``-th on."""
        indices = enumerate(self._infinite_indices())
        for position, index in itertools.islice(indices, self.rank, None, self.world_size):
            yield SeededIndex(index, self.seed, position)
