# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any

from mmrdn.datasets.seeded_index import SeededIndex


class SeededSamples:
    """Mixin of a data set, or a wrapper of others, whose samples draw their randomness from a seeded index.

    It comes before the class that loads the sample: ``class Mine(SeededSamples, BaseDataset)``. A
    wrapper seeds for all that it wraps, whatever it makes of the index.
    """

    def __getitem__(self, idx: int) -> Any:
        """Load a sample.

        Args:
            idx (int): Index of the sample; a :class:`SeededIndex` seeds its randomness.

        Returns:
            Any: Sample, as the pipeline returns it.
        """
        if isinstance(idx, SeededIndex):
            idx.seed_generators()
        return super().__getitem__(idx)  # type: ignore[misc]
