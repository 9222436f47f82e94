# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler

from mmrdn.registry import DATA_SAMPLERS


class SeededIndex(int):
    """An index into a data set that knows its position in the training.

    It stays one when ``ConcatDataset`` subtracts an offset, and when it is sent to a worker
    process.

    Args:
        index (int): Index of the sample.
        seed (int): Seed of the training.
        position (int): Number of indices that all ranks together drew before.
    """

    def __new__(cls, index: int, seed: int, position: int) -> 'SeededIndex':
        self = super().__new__(cls, index)
        self.seed, self.position = seed, position
        return self

    def __getnewargs__(self) -> tuple:
        return int(self), self.seed, self.position

    def __sub__(self, offset: int) -> 'SeededIndex':
        return SeededIndex(int(self) - offset, self.seed, self.position)

    def seed_generators(self) -> None:
        """Seed Python, numpy and torch (CPU) for loading this sample."""
        entropy = np.random.SeedSequence([self.seed, self.position])
        words = entropy.generate_state(3)
        random.seed(int(words[0]))
        np.random.seed(words[1])
        # torch.manual_seed would queue a call for CUDA in every worker.
        torch.default_generator.manual_seed(int(words[2]))


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """MMEngine's ``InfiniteSampler`` whose indices carry their randomness.

    What a :class:`mmrdn.datasets.VideoDetDataset` draws for a sample (support frames, flips) then
    depends on the training's seed and on the sample's position in the training alone: neither on the
    number of workers nor on whether the training was interrupted. See
    :class:`mmrdn.engine.IterSeedHook` for what the model draws.

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
