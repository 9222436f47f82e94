# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.dataset import RepeatDataset as _RepeatDataset

from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class RepeatDataset(SeededSamples, _RepeatDataset):
    """MMEngine's wrapper that repeats a data set, with samples that a seeded index seeds."""
