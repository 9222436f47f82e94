# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.dataset import ClassBalancedDataset as _ClassBalancedDataset

from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class ClassBalancedDataset(SeededSamples, _ClassBalancedDataset):
    """MMEngine's wrapper that repeats images of rare classes, with samples that a seeded index seeds."""
