# Copyright (c) mmrdn contributors. All rights reserved.
"""Class names of a detector, and whether all who know them agree."""

from collections.abc import Sequence

from mmengine.config import ConfigDict

from mmrdn.registry import DATASETS


def class_names(num_classes: int, dataset: ConfigDict, checkpoint: dict) -> tuple[str, ...]:
    """Names in the order of the labels.

    Args:
        num_classes (int): Of the model.
        dataset (ConfigDict): Config of the data set to test on.
        checkpoint (dict): The checkpoint, whose meta information names the classes it was trained
            on; empty if there is none.

    Returns:
        tuple[str]: Those of the checkpoint, else those of the data set, else
        ``class 0`` and so on.

    Raises:
        ValueError: They differ, or their number is not the model's.
    """
    trained = _of_meta(checkpoint.get('meta', {}).get('dataset_meta'))
    configured = _of_dataset(dataset)
    for who, names in (('checkpoint', trained), ('config', configured)):
        if names is not None and len(names) != num_classes:
            raise ValueError(f'the {who} names {len(names)} classes, but the model of the config has {num_classes}')
    if trained and configured and trained != configured:
        place = next(i for i, pair in enumerate(zip(trained, configured)) if pair[0] != pair[1])
        raise ValueError(
            'the checkpoint is of other classes than the config: class '
            f'{place} is "{trained[place]}", expected "{configured[place]}"'
        )
    return trained or configured or tuple(f'class {i}' for i in range(num_classes))


def _of_dataset(dataset: ConfigDict) -> tuple[str, ...] | None:
    """Names that a data set has by its class or its config."""
    while 'type' in dataset and ('dataset' in dataset or 'datasets' in dataset):
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    kind = DATASETS.get(dataset.get('type', ''))
    meta = dict(getattr(kind, 'METAINFO', {}))
    meta.update(dataset.get('metainfo') or {})
    return _of_meta(meta)


def _of_meta(meta: dict | None) -> Sequence[str] | None:
    """Names in the meta information of a data set, None if it has none."""
    meta = meta or {}
    names = meta.get('classes', meta.get('CLASSES'))
    if not names:
        return None
    return (names,) if isinstance(names, str) else tuple(map(str, names))
