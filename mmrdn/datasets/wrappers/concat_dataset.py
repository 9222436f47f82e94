# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.dataset import ConcatDataset as _ConcatDataset

from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class ConcatDataset(SeededSamples, _ConcatDataset):
    """MMEngine's wrapper that puts data sets one after another, with seeded samples; also for testing.

    In testing files that number their images and videos alike are told apart: the ids of data set i
    get the prefix ``i/``, unless it has an ``id_prefix`` of its own.

    Args:
        datasets (Sequence[dict or BaseDataset]): The data sets.
        **kwargs: See :class:`mmengine.dataset.ConcatDataset`.

    Raises:
        ValueError: Some data sets are for testing, others for training.
    """

    def __init__(self, datasets: Sequence[dict | BaseDataset], **kwargs) -> None:
        super().__init__([_with_prefix(dataset, i) for i, dataset in enumerate(datasets)], **kwargs)
        modes = [dataset.test_mode for dataset in self.datasets]
        if len(set(modes)) > 1:
            raise ValueError(f'test_mode of all data sets of a ConcatDataset must be the same, got {modes}')
        self.test_mode = modes[0]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image, which ``ClassBalancedDataset`` asks for.

        Args:
            idx (int): Index of the sample.
        """
        dataset_idx, sample_idx = self._get_ori_dataset_idx(idx)
        return self.datasets[dataset_idx].get_cat_ids(sample_idx)


def _with_prefix(dataset: Any, index: int) -> Any:
    """Return the config of a data set for testing with a prefix of its ids."""
    if not isinstance(dataset, dict) or not dataset.get('test_mode') or 'id_prefix' in dataset:
        return dataset
    kind = dataset['type'] if isinstance(dataset['type'], type) else DATASETS.get(dataset['type'])
    is_ours = isinstance(kind, type) and issubclass(kind, VideoDetDataset)
    return dict(dataset, id_prefix=f'{index}/') if is_ours else dataset
