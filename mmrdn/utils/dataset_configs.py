# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any


def leaf_datasets(dataset: Any) -> list:
    """Return the configs of the data sets inside of wrappers such as ``ConcatDataset``.

    Args:
        dataset (dict): Config of a data set, wrapped or not.

    Returns:
        list[dict]: Those that wrap no other, in order.
    """
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])
    return [leaf for other in inner for leaf in leaf_datasets(other)] if inner else [dataset]
