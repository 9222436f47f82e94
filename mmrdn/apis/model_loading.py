# Copyright (c) mmrdn contributors. All rights reserved.
"""Build a detector that runs from a config and a checkpoint."""

import copy

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmtrack.models import BaseVideoDetector

from mmrdn.apis.config_files import check_keys, find_model, load_config
from mmrdn.fileio.checkpoint import check_state_dict, read_checkpoint, state_dict_of
from mmrdn.fileio.download import shown_url
from mmrdn.registry import DATASETS, MODELS
from mmrdn.utils.config_types import type_name
from mmrdn.utils.dataset_configs import leaf_datasets


def resolve_config(config: str | Config, options: dict | None = None) -> tuple[Config, str | None]:
    """Read a config by its path or name.

    Args:
        config (str or Config): A config, or the path or name of one, see :func:`find_model`.
        options (dict, optional): Changes of the config.

    Returns:
        tuple[Config, str | None]: The config, and its published weights.
    """
    needs = ('test_dataloader',)
    if not isinstance(config, Config):
        found = find_model(config)
        return load_config(found.config, options, needs=needs), found.weights
    config = copy.deepcopy(config)
    config.merge_from_dict(options or {})
    check_keys(config, needs, 'the config')
    return config, None


def load_detector(
    cfg: Config, checkpoint: str, trust_checkpoint: bool = False
) -> tuple[BaseVideoDetector, tuple[str, ...]]:
    """Build the model and load its weights.

    Args:
        cfg (Config): Config from :func:`resolve_config`.
        checkpoint (str): File or URL.
        trust_checkpoint (bool): Whether to unpickle whatever it holds.

    Returns:
        tuple[BaseVideoDetector, tuple[str]]: The model in test mode, and class names.

    Raises:
        ValueError: The checkpoint is not of this model, or not to be used.
    """
    loaded = read_checkpoint(checkpoint, 'cpu', trust_checkpoint)
    model = build_model(cfg)
    if not isinstance(model, BaseVideoDetector):
        raise ValueError(f'the model must be a video detector such as mmrdn.RDN, got a {type(model).__name__}')
    try:
        check_state_dict(model, loaded)
        names = model_classes(cfg, model, loaded)
    except ValueError as error:
        raise ValueError(f'{shown_url(checkpoint)}: {error}') from None
    model.load_state_dict(state_dict_of(loaded))
    return model, names


def build_model(cfg: Config) -> BaseVideoDetector:
    """Build the model of a config; its weights are neither loaded nor initialized."""
    settings = copy.deepcopy(cfg.model)
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrdn'):
        model = MODELS.build(settings)
    if any(type_name(hook) == 'ChannelsLastHook' for hook in cfg.get('custom_hooks') or []):
        model.to(memory_format=torch.channels_last)
    return model


def fitting_model(cfg: Config, checkpoint: dict) -> BaseVideoDetector:
    """Build the model that a checkpoint is of, without memory for its weights.

    Raises:
        ValueError: The checkpoint is of another model than the config's.
    """
    with torch.device('meta'):
        model = build_model(cfg)
    check_state_dict(model, checkpoint)
    return model


def model_classes(cfg: Config, model: BaseVideoDetector, checkpoint: dict) -> tuple[str, ...]:
    """Return the class names of a model, see :func:`class_names`."""
    head = getattr(model.detector, 'roi_head', model.detector)  # itself, if it has one stage
    bbox_head = getattr(head, 'relation_head', head.bbox_head)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrdn'):
        return class_names(bbox_head.num_classes, cfg.test_dataloader.dataset, checkpoint)


def class_names(num_classes: int, dataset: ConfigDict, checkpoint: dict) -> tuple[str, ...]:
    """Return class names in the order of the labels, if data set and checkpoint agree.

    Args:
        num_classes (int): Number of classes of the model.
        dataset (ConfigDict): Config of the data set to test on.
        checkpoint (dict): The checkpoint, whose meta information names the classes it was trained
            on; empty if there is none.

    Returns:
        tuple[str]: Names of the checkpoint, else those of the data set, else ``class 0`` and so on.

    Raises:
        ValueError: They differ, or their number is not the model's.
    """
    trained = classes_of_meta(checkpoint.get('meta', {}).get('dataset_meta'))
    configured = _classes_of_dataset(dataset)
    for who, names in (('checkpoint', trained), ('config', configured)):
        if names is not None and len(names) != num_classes:
            raise ValueError(f'the {who} names {len(names)} classes, but the model of the config has {num_classes}')
    if trained and configured and trained != configured:
        label = next(i for i, pair in enumerate(zip(trained, configured)) if pair[0] != pair[1])
        raise ValueError(
            'the checkpoint is of other classes than the config: class '
            f'{label} is "{trained[label]}", expected "{configured[label]}"'
        )
    return trained or configured or tuple(f'class {i}' for i in range(num_classes))


def _classes_of_dataset(dataset: ConfigDict) -> tuple[str, ...] | None:
    """Return the names that a data set has by its class or its config."""
    dataset = leaf_datasets(dataset)[0]
    kind = dataset.get('type', '')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    meta = dict(getattr(kind, 'METAINFO', {}))
    meta.update(dataset.get('metainfo') or {})
    return classes_of_meta(meta)


def classes_of_meta(meta: dict | None) -> tuple[str, ...] | None:
    """Return the names in the meta information of a data set, None if it has none."""
    meta = meta or {}
    names = meta.get('classes', meta.get('CLASSES'))
    if not names:
        return None
    return (names,) if isinstance(names, str) else tuple(map(str, names))


def resolve_device(device: str | None = None) -> torch.device:
    """Return the device of that name; a GPU if there is one and none is named.

    Raises:
        ValueError: There is no such device.
    """
    if device is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(device)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {device} cannot be used: {reason}') from None
    return device
