# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
from collections.abc import Iterator, Sized
from typing import Any

from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import ConcatDataset, InfiniteSampler, RepeatDataset
from mmengine.logging import MMLogger

from mmrdn.datasets.seeded_index import SeededIndex
from mmrdn.datasets.seeded_samples import SeededSamples
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

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        super().__init__(dataset, shuffle, seed)
        stranger = _unseeded(dataset)
        if stranger is not None:
            MMLogger.get_current_instance().warning(
                f'{type(stranger).__name__} does not seed its samples: a training that is resumed will differ from an '
                'unbroken one; derive it from mmrdn.datasets.SeededSamples'
            )

    def _indices_of_rank(self) -> Iterator[SeededIndex]:
        """Every ``world_size``-th index, from the ``rank``-th on."""
        indices = enumerate(self._infinite_indices())
        for position, index in itertools.islice(indices, self.rank, None, self.world_size):
            yield SeededIndex(index, self.seed, position)


def _unseeded(dataset: Any) -> Any:
    """Return the data set, maybe one inside of it, that a seeded index does not reach; None if there is none."""
    if isinstance(dataset, SeededSamples):
        return None
    if isinstance(dataset, (ConcatDataset, RepeatDataset, MultiImageMixDataset)):  # they pass the index on
        inner = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset.dataset]
        return next((found for found in map(_unseeded, inner) if found is not None), None)
    return dataset
