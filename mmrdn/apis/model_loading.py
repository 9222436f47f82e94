# Copyright (c) mmrdn contributors. All rights reserved.
"""From a config and a checkpoint to a detector that runs."""

import copy

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmtrack.models import BaseVideoDetector

from mmrdn.apis.class_names import class_names
from mmrdn.apis.package_files import find_model
from mmrdn.apis.runner import load_config
from mmrdn.engine.hooks import check_state_dict, state_dict_of
from mmrdn.fileio.checkpoint import read_checkpoint
from mmrdn.fileio.download import shown_address
from mmrdn.models import RDN
from mmrdn.registry import MODELS


def resolve_config(config: str | Config, options: dict | None = None) -> tuple[Config, str | None]:
    """Read a config wherever it is.

    Args:
        config (str or Config): See :func:`find_model`.
        options (dict, optional): What to change in it.

    Returns:
        tuple[Config, str | None]: The config, and its published weights.
    """
    needs = ('test_dataloader',)
    if not isinstance(config, Config):
        found = find_model(config)
        return load_config(found.config, options, needs=needs), found.weights
    config = copy.deepcopy(config)
    config.merge_from_dict(options or {})
    for key in ('model', *needs):
        if config.get(key) is None:
            raise ValueError(f'the config has no "{key}"')
    return config, None


def load_detector(cfg: Config, checkpoint: str, trust_checkpoint: bool = False) -> tuple[RDN, tuple[str, ...]]:
    """Build the model and fill it.

    Args:
        cfg (Config): From :func:`resolve_config`.
        checkpoint (str): File or address.
        trust_checkpoint (bool): Unpickle whatever it holds.

    Returns:
        tuple[RDN, tuple[str]]: The model in test mode, and class names.

    Raises:
        ValueError: The checkpoint is not of this model, or not to be used.
    """
    loaded = read_checkpoint(checkpoint, 'cpu', trust_checkpoint)
    model = build_model(cfg)
    if not isinstance(model, RDN):
        raise ValueError(f'the model must be an mmrdn.RDN, got a {type(model).__name__}')
    try:
        check_state_dict(model, loaded)
        names = model_classes(cfg, model, loaded)
    except ValueError as error:
        raise ValueError(f'{shown_address(checkpoint)}: {error}') from None
    model.load_state_dict(state_dict_of(loaded))
    return model, names


def build_model(cfg: Config) -> BaseVideoDetector:
    """The model of a config, before its weights are loaded or initialized."""
    settings = copy.deepcopy(cfg.model)
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrdn'):
        model = MODELS.build(settings)
    if any(str(hook.get('type')).endswith('ChannelsLastHook') for hook in cfg.get('custom_hooks') or []):
        model.to(memory_format=torch.channels_last)
    return model


def model_classes(cfg: Config, model: BaseVideoDetector, checkpoint: dict) -> tuple[str, ...]:
    """See :func:`class_names`."""
    roi_head = model.detector.roi_head
    bbox_head = getattr(roi_head, 'relation_head', roi_head.bbox_head)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrdn'):
        return class_names(bbox_head.num_classes, cfg.test_dataloader.dataset, checkpoint)


def resolve_device(device: str | None = None) -> torch.device:
    """The device of that name; a GPU if there is one and none is named.

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
