# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler

from mmrdn.datasets.seeded_index import SeededIndex
from mmrdn.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """MMEngine's ``InfiniteSampler`` whose indices carry their randomness.

    A data set of :class:`SeededSamples` (all of mmrdn, and its wrappers of others) then draws the
    randomness of a sample (support frames, flips) from the seed of the training and the position of
    the sample in it, whatever the number of workers and whether or not the training was interrupted.
    Other data sets get a warning. :class:`mmrdn.engine.IterSeedHook` does the same for the model.

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
