# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.dataset import RepeatDataset as _RepeatDataset

from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class RepeatDataset(SeededSamples, _RepeatDataset):
    """MMEngine's wrapper that repeats a data set, with samples that a seeded index seeds."""

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image, which ``ClassBalancedDataset`` asks for.

        Args:
            idx (int): Index of the sample.
        """
        return self.dataset.get_cat_ids(self._get_ori_dataset_idx(idx))
