# Copyright (c) mmrdn contributors. All rights reserved.
"""Checks of the state of a training, before it is resumed.

MMEngine and torch take the state as it is: what does not fit fails later, or deletes a file.
"""

import copy
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor
from torch.optim import Optimizer

from mmrdn.fileio.checkpoint_checks import MAX_COUNT, check_names, check_number, check_tensors, described
from mmrdn.utils.text import shown

_NUMBERS = (int, float, np.number, Tensor)
_LARGEST = 1e300
_MAX_TIMES = 1000  # that a milestone is there


def check_message_hub(hub: Any) -> None:
    """Raise ValueError unless a value is the state of MMEngine's message hub.

    Args:
        hub (Any): ``message_hub`` of a checkpoint.
    """
    check_names(hub, 'message_hub')
    for part in ('log_scalars', 'runtime_info', 'resumed_keys'):
        if part not in hub:
            raise ValueError(f'message_hub has no {part}')
        check_names(hub[part], f'message_hub.{part}')
    for name, value in hub['log_scalars'].items():
        if not isinstance(value, (HistoryBuffer, int, float, np.number)):  # numbers of old ones are left out
            raise ValueError(f'message_hub.log_scalars.{shown(name)} is {described(value)}, expected a HistoryBuffer')
    for name, value in hub['resumed_keys'].items():
        if not isinstance(value, bool):
            raise ValueError(f'message_hub.resumed_keys.{shown(name)} is {described(value)}, expected a bool')
    for name, value in hub['runtime_info'].items():
        _check_runtime_info(value, name)


def _check_runtime_info(value: Any, name: str) -> None:
    """Check a value that MMEngine compares, counts with or deletes."""
    field = f'message_hub.runtime_info.{shown(name)}'
    if name in ('iter', 'epoch', 'max_iters', 'max_epochs'):
        check_number(value, field, MAX_COUNT)
    elif re.match('best_score($|_)', name):
        check_number(value, field, 0, integer=False)
    elif re.match('best_ckpt($|_)', name) and value is not None and not isinstance(value, str):
        raise ValueError(f'{field} is {described(value)}, expected a path')
    elif name == 'keep_ckpt_ids':
        if not isinstance(value, list):
            raise ValueError(f'{field} is {described(value)}, expected a list')
        for step in value:
            check_number(step, field, MAX_COUNT)


# What optimizers of torch remember in other shapes: numbers, and Adafactor's sums over rows and columns.
_SCALARS = ('step', 'mu_product', 'eta', 'mu')
_MARGINS = ('row_var', 'col_var')


def check_optimizer(state: Any, wrapper: OptimWrapper | OptimWrapperDict, field: str = 'optimizer') -> None:
    """Raise ValueError unless an optimizer can continue from a saved state.

    Args:
        state (Any): ``optimizer`` of a checkpoint.
        wrapper (OptimWrapper or OptimWrapperDict): The optimizer, or several by name.
        field (str): Name of the state.
    """
    check_names(state, field)
    if isinstance(wrapper, OptimWrapperDict):
        if state.keys() != wrapper.optim_wrappers.keys():
            raise ValueError(f'{field} is of other optimizers than the config has')
        for name, one in wrapper.items():
            check_optimizer(state[name], one, f'{field}.{name}')
        return
    wanted = wrapper.state_dict()
    for name in wanted.keys() - {'state', 'param_groups'} & state.keys():
        match_state(state[name], wanted[name], f'{field}.{name}')
        _match_settings(state[name], wanted[name], f'{field}.{name}')
    groups = state.get('param_groups')
    if not isinstance(groups, list) or len(groups) != len(wanted['param_groups']):
        raise ValueError(f'{field}.param_groups is no list of {len(wanted["param_groups"])} groups')
    parameters: dict[int, Tensor] = {}
    for i, (group, living) in enumerate(zip(groups, wrapper.optimizer.param_groups)):
        check_names(group, f'{field}.param_groups.{i}')
        numbers = group.get('params')
        if not isinstance(numbers, list) or len(numbers) != len(living['params']):
            raise ValueError(f'{field}.param_groups.{i} is not of {len(living["params"])} parameters')
        for number in numbers:
            check_number(number, f'{field}.param_groups.{i}.params', MAX_COUNT)
        parameters.update(zip(numbers, living['params']))
        settings = {name: value for name, value in living.items() if name != 'params'}
        _match_settings(group, settings, f'{field}.param_groups.{i}')
    _check_moments(state.get('state'), groups, wrapper.optimizer, parameters, f'{field}.state')


def _match_settings(given: dict, wanted: Mapping[str, Any], field: str) -> None:
    """Match values by name; those of newer versions, all of them yes or no, may be missing."""
    for name, value in wanted.items():
        if name in given:
            match_state(given[name], value, f'{field}.{name}')
        elif value is not None and not isinstance(value, bool):
            raise ValueError(f'{field} has no {name}')


def _check_moments(
    state: Any, groups: list[dict], optimizer: Optimizer, parameters: Mapping[int, Tensor], field: str
) -> None:
    """Match the saved state of each parameter with the state that the optimizer makes for one like it."""
    if not isinstance(state, dict):
        raise ValueError(f'{field} is {described(state)}, expected a dict')
    for number in state:
        if number not in parameters:
            raise ValueError(f'{field} has {described(number)}, which is no parameter')
    for i, group in enumerate(groups):
        made: dict[int, dict] = {}  # by the number of dimensions
        for number in group['params']:
            parameter, place = parameters[number], f'{field}.{number}'
            if number not in state or type(optimizer).__module__.split('.')[:2] != ['torch', 'optim']:
                continue
            check_names(state[number], place)
            if parameter.ndim not in made:
                try:
                    made[parameter.ndim] = _moments_of(type(optimizer), group, parameter)
                except Exception as error:
                    reason = ' '.join(str(error).split()) or type(error).__name__
                    raise ValueError(f'{field}: the settings of group {i} let no step succeed ({reason})') from None
            _match_moments(state[number], made[parameter.ndim], tuple(parameter.shape), place)


def _moments_of(kind: type[Optimizer], settings: Mapping[str, Any], parameter: Tensor) -> dict[str, Any]:
    """Return what an optimizer with these settings remembers of a small parameter after a step."""
    small = torch.zeros_like(parameter[(slice(1),) * parameter.ndim], requires_grad=True)
    small.grad = torch.zeros_like(small)
    optimizer = kind([small], lr=0.1)
    optimizer.param_groups[0].update((name, value) for name, value in settings.items() if name != 'params')
    optimizer.step()
    if not small.isfinite():
        raise ValueError('parameters become NaN or infinite')
    return dict(optimizer.state[small])


def _match_moments(given: dict, made: Mapping[str, Any], shape: tuple[int, ...], place: str) -> None:
    """Match names, kinds and shapes."""
    for name in [*made, *(name for name in given if name not in made)]:
        value = given.get(name)
        if value is None and (name not in made or name == 'momentum_buffer'):
            continue  # SGD without momentum saves None
        if name not in made:
            raise ValueError(f'{place}.{shown(name)} is nothing that the optimizer remembers')
        if name in _SCALARS:
            if not _is_number(value, isinstance(value, Tensor)) or value < 0:
                raise ValueError(f'{place}.{name} is {described(value)}, expected a number')
            continue
        if not isinstance(value, Tensor):
            raise ValueError(f'{place}.{name} is {described(value)}, expected a tensor')
        check_tensors({name: value}, place)
        if not _fits(name, tuple(value.shape), shape):
            raise ValueError(f'{place}.{name} is {tuple(value.shape)}, its parameter {shape}')


def _fits(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Return whether a moment has its parameter's shape, which fused optimizers take for granted."""
    if name in _MARGINS:
        return len(shape) == len(wanted) and all(one in (1, other) for one, other in zip(shape, wanted))
    return shape == wanted


def check_schedulers(state: Any, schedulers: Any, field: str = 'param_schedulers') -> None:
    """Raise ValueError unless schedulers can continue from a saved state.

    Args:
        state (Any): ``param_schedulers`` of a checkpoint.
        schedulers (list or dict): The schedulers; several lists by name.
        field (str): Name of the state.
    """
    if isinstance(schedulers, dict):
        check_names(state, field)
        if state.keys() != schedulers.keys():
            raise ValueError(f'{field} is of other optimizers than the config has')
        for name, some in schedulers.items():
            check_schedulers(state[name], some, f'{field}.{name}')
        return
    if not isinstance(state, (list, tuple)) or len(state) != len(schedulers):
        raise ValueError(f'{field} is {described(state)}, expected a list of {len(schedulers)} states')
    for i, (settings, scheduler) in enumerate(zip(state, schedulers)):
        check_names(settings, f'{field}.{i}')
        living = scheduler.state_dict()
        # MMEngine sets them as attributes: "step" would take the place of the method.
        if unknown := settings.keys() - living.keys():
            raise ValueError(f'{field}.{i}.{shown(min(unknown))} is no setting of {type(scheduler).__name__}')
        _match_settings(settings, living, f'{field}.{i}')
        for step, times in settings.get('milestones', {}).items():
            check_number(step, f'{field}.{i}.milestones', MAX_COUNT)
            check_number(times, f'{field}.{i}.milestones.{step}', _MAX_TIMES)
        for name in ('last_step', '_global_step'):
            check_number(settings.get(name, 0), f'{field}.{i}.{name}', MAX_COUNT)
        _try_scheduler(scheduler, settings, f'{field}.{i}')


def _try_scheduler(scheduler: Any, settings: dict, field: str) -> None:
    """Raise ValueError unless a scheduler with these settings has a value to give."""
    trial = copy.copy(scheduler)
    try:
        trial.load_state_dict(settings)
        trial.last_step = max(trial.last_step, 1)  # the first value is the optimizer's own
        are_numbers = all(map(_is_number, trial._get_value()))
    except Exception as error:
        raise ValueError(f'{field} gives no next value ({" ".join(str(error).split())})') from None
    if not are_numbers:
        raise ValueError(f'{field} gives a next value that is no number')


def match_state(given: Any, wanted: Any, field: str) -> None:
    """Raise ValueError unless a saved value can take the place of a living one.

    Args:
        given (Any): Value of the checkpoint.
        wanted (Any): Value of the optimizer or scheduler that is to continue from it.
        field (str): Name of the value.
    """
    if isinstance(wanted, str):  # the name of a setting, or of a function
        fits = isinstance(given, str) and given == wanted
    elif given is None or wanted is None:
        fits = given is None or isinstance(given, (bool, str, *_NUMBERS))
        fits = fits and (wanted is None or not isinstance(wanted, (list, tuple, dict, *_NUMBERS)))
    elif isinstance(wanted, bool):
        fits = isinstance(given, bool)
    elif isinstance(wanted, _NUMBERS):
        fits = _is_number(given, isinstance(wanted, Tensor))
        fits = fits or isinstance(given, float) and math.isinf(given) and not _is_number(wanted)
    elif isinstance(wanted, (list, tuple)):
        fits = isinstance(given, (list, tuple)) and len(given) == len(wanted)
        for i, (one, other) in enumerate(zip(given, wanted) if fits else ()):
            match_state(one, other, f'{field}.{i}')
    elif isinstance(wanted, dict):
        fits = isinstance(given, dict)
        if fits and all(isinstance(name, str) for name in wanted):  # others have steps as keys
            check_names(given, field)
            _match_settings(given, wanted, field)
    else:
        fits = callable(given) if callable(wanted) else isinstance(given, type(wanted))
    if not fits:
        raise ValueError(f'{field} is {described(given)}, expected {described(wanted)} or the like')


def _is_number(value: Any, is_tensor: bool = False) -> bool:
    """Return whether a value is a number to calculate with."""
    if is_tensor and isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    is_real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return is_real and -_LARGEST <= value <= _LARGEST
