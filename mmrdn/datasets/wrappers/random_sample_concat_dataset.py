# Copyright (c) mmrdn contributors. All rights reserved.
from mmtrack.datasets import RandomSampleConcatDataset as _RandomSampleConcatDataset

from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class RandomSampleConcatDataset(SeededSamples, _RandomSampleConcatDataset):
    """mmtrack's wrapper that draws data set and sample at random, both from a seeded index."""
