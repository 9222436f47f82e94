# Copyright (c) mmrdn contributors. All rights reserved.

import torch
import torch.nn as nn
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Refuse a checkpoint of another model instead of testing random weights.

    MMEngine only logs what does not fit. Starting a training from a part of another model is
    legitimate as long as something fits; testing and resuming need every parameter, and leave none
    over.

    Args:
        partial (bool): Whether a checkpoint may fill a part of the model.
    """

    def __init__(self, partial: bool = False) -> None:
        self.partial = partial

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the checkpoint with the model before it is loaded.

        Raises:
            ValueError: The checkpoint does not fit; names the first entry. Or a training is to go
                on from weights alone.
        """
        if runner._resume and 'message_hub' not in checkpoint:
            raise ValueError(
                'the checkpoint holds no state of a training to resume, as '
                'published ones do not: start from it with --cfg-options '
                'load_from=CHECKPOINT'
            )
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        check_state_dict(model, checkpoint, partial=self.partial)


def state_dict_of(checkpoint: dict) -> dict[str, torch.Tensor]:
    """Parameters by name, without what data parallel wrappers put before it.

    Args:
        checkpoint (dict): A checkpoint; its ``state_dict``, or the dict itself, holds the
            parameters.
    """
    given = checkpoint.get('state_dict', checkpoint)
    return {key[len('module.') :] if key.startswith('module.') else key: value for key, value in given.items()}


def check_state_dict(model: nn.Module, checkpoint: dict, partial: bool = False) -> None:
    """Raise ValueError unless the checkpoint fits the model.

    Args:
        model (nn.Module): The model to fill.
        checkpoint (dict): See :func:`state_dict_of`.
        partial (bool): Whether a part of the model is enough.
    """
    given = state_dict_of(checkpoint)
    wanted = model.state_dict()
    fitting, other_shape = [], []
    for key, value in wanted.items():
        if key in given:
            same = getattr(given[key], 'shape', None) == value.shape
            (fitting if same else other_shape).append(key)
    missing = [key for key in wanted if key not in given]
    if not fitting:
        raise ValueError(
            f'the checkpoint is of another model: none of its {len(given)} '
            f'entries fits {type(model).__name__}{_first("expected", missing)}'
        )
    if other_shape and not partial:
        key = other_shape[0]
        raise ValueError(
            'the checkpoint is of another model: '
            f'{key} is {tuple(given[key].shape)}, expected '
            f'{tuple(wanted[key].shape)} (shapes of {len(other_shape)} '
            'entries differ)'
        )
    unexpected = [key for key in given if key not in wanted]
    if unexpected and not partial:
        raise ValueError(
            'the checkpoint is of another model: the model lacks '
            f'{len(unexpected)} of its {len(given)} entries'
            f'{_first("the first is", unexpected)}'
        )
    if missing and not partial:
        raise ValueError(
            'the checkpoint is of another model: it lacks '
            f'{len(missing)} of {len(wanted)} entries'
            f'{_first("the first is", missing)}'
        )
    check_finite({key: given[key] for key in fitting})


def check_finite(tensors: dict[str, torch.Tensor]) -> None:
    """Raise ValueError if one of the named tensors holds NaN or infinity."""
    for key, value in tensors.items():
        if not torch.isfinite(value).all():
            raise ValueError(f'{key} of the checkpoint holds NaN or infinite numbers')


def _first(words: str, keys: list[str]) -> str:
    return f', {words} {keys[0]}' if keys else ''
