# Copyright (c) mmrdn contributors. All rights reserved.
"""Wrappers of data sets whose samples a seeded index seeds, as MMEngine and mmtrack have them."""

from collections.abc import Sequence
from typing import Any

import mmengine.dataset
import mmtrack.datasets
from mmengine.dataset import BaseDataset

from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class ClassBalancedDataset(SeededSamples, mmengine.dataset.ClassBalancedDataset):
    """MMEngine's wrapper that repeats images of rare classes, with samples that a seeded index seeds."""


@DATASETS.register_module()
class RandomSampleConcatDataset(SeededSamples, mmtrack.datasets.RandomSampleConcatDataset):
    """mmtrack's wrapper that draws data set and sample at random, both from a seeded index."""


@DATASETS.register_module()
class RepeatDataset(SeededSamples, mmengine.dataset.RepeatDataset):
    """MMEngine's wrapper that repeats a data set, with samples that a seeded index seeds."""

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image, which ``ClassBalancedDataset`` asks for.

        Args:
            idx (int): Index of the sample.
        """
        return self.dataset.get_cat_ids(self._get_ori_dataset_idx(idx))


@DATASETS.register_module()
class ConcatDataset(SeededSamples, mmengine.dataset.ConcatDataset):
    """MMEngine's wrapper that puts data sets one after another, with seeded samples; also for testing.

    In testing the ids of data set i get the prefix ``i/``, unless it has an ``id_prefix``: files may use
    the same numbers for their images and videos. Data sets in wrappers, and those that are built
    already, keep their ids.

    Args:
        datasets (Sequence[dict or BaseDataset]): The data sets.
        lazy_init (bool): Whether to read the files later, with :meth:`full_init`.
        **kwargs: See :class:`mmengine.dataset.ConcatDataset`.

    Raises:
        ValueError: Some data sets are for testing, others for training; or images or videos of a test
            have the same id.
    """

    def __init__(self, datasets: Sequence[dict | BaseDataset], lazy_init: bool = False, **kwargs) -> None:
        prefixed = [_with_prefix(dataset, i) for i, dataset in enumerate(datasets)]
        super().__init__(prefixed, lazy_init=True, **kwargs)
        modes = [_test_mode(dataset) for dataset in self.datasets]
        if len(set(modes)) > 1:
            raise ValueError(f'test_mode of all data sets of a ConcatDataset must be the same, got {modes}')
        self.test_mode = modes[0]
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Read the files of data sets that have not done so.

        Raises:
            ValueError: Images or videos of a test have the same id.
        """
        if self._fully_initialized:
            return
        super().full_init()
        if self.test_mode:
            self._check_ids()

    def _check_ids(self) -> None:
        """Refuse an image that is there twice, and a video of two data sets."""
        owners: dict[tuple[str, Any], int] = {}  # number of the data set by field and id
        for number, dataset in enumerate(self.datasets):
            for idx in range(len(dataset)):
                info = dataset.get_data_info(idx)
                for field in ('img_id', 'video_id'):
                    key = field, info.get(field)
                    owner = owners.get(key)
                    if None not in (owner, key[1]) and (field == 'img_id' or owner != number):
                        raise ValueError(
                            f'ConcatDataset: {field} {key[1]!r} of datasets[{number}] is in datasets[{owner}] already, '
                            'but ids must differ in testing: give its data an id_prefix'
                        )
                    owners[key] = number

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image, which ``ClassBalancedDataset`` asks for.

        Args:
            idx (int): Index of the sample.
        """
        dataset_idx, sample_idx = self._get_ori_dataset_idx(idx)
        return self.datasets[dataset_idx].get_cat_ids(sample_idx)


def _test_mode(dataset: Any) -> bool:
    """Return whether a data set, or what a wrapper wraps, is for testing."""
    if hasattr(dataset, 'test_mode'):
        return bool(dataset.test_mode)
    if hasattr(dataset, 'datasets'):
        return any(map(_test_mode, dataset.datasets))
    return hasattr(dataset, 'dataset') and _test_mode(dataset.dataset)


def _with_prefix(dataset: Any, index: int) -> Any:
    """Return the config of a data set for testing with a prefix of its ids."""
    if not isinstance(dataset, dict) or not dataset.get('test_mode') or 'id_prefix' in dataset:
        return dataset
    kind = dataset['type'] if isinstance(dataset['type'], type) else DATASETS.get(dataset['type'])
    is_ours = isinstance(kind, type) and issubclass(kind, VideoDetDataset)
    return dict(dataset, id_prefix=f'{index}/') if is_ours else dataset
