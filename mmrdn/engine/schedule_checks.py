# Copyright (c) mmrdn contributors. All rights reserved.
"""The length of a training against its schedulers, and against those of a checkpoint."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.optim.scheduler.param_scheduler import INF
from mmengine.runner import IterBasedTrainLoop, Runner

# What schedulers count or measure on the way; "base_values" follow the optimizer's.
_PROGRESS = frozenset(
    'last_step _global_step _last_value base_values best cooldown_counter num_bad_epochs verbose'.split()
)

_DIVISORS = 'step_size start_factor factor div_factor final_div_factor'.split()


def named_schedulers(schedulers: Any, name: str = 'param_scheduler') -> Iterator[tuple[str, Any]]:
    """Yield schedulers, or their states, and their names.

    Args:
        schedulers (list or dict): A list, or several by the name of their optimizer.
        name (str): Name of the whole.
    """
    if isinstance(schedulers, dict):
        for key, some in schedulers.items():
            yield from named_schedulers(some, f'{name}.{key}')
    else:
        yield from ((f'{name}.{i}', one) for i, one in enumerate(schedulers))


def check_schedulers_fit(
    schedulers: Iterable[tuple[str, type, Mapping[str, Any]]], runner: Runner, resumed: bool = False
) -> None:
    """Raise ValueError unless schedulers end with the training or before.

    Args:
        schedulers (Iterable[tuple]): Name, class and settings of each.
        runner (Runner): Runner with the training.
        resumed (bool): Whether the settings are those of a checkpoint, whose training may have been
            longer.
    """
    advice = 'leave it out, or change one of them'
    if resumed:
        advice = 'change train_cfg, or start from it with --cfg-options load_from'
    for name, kind, settings in schedulers:
        length, unit = runner.max_iters, 'iterations'
        if settings['by_epoch']:
            length, unit = runner.max_epochs, 'epochs'
            if isinstance(runner.train_loop, IterBasedTrainLoop) and not getattr(kind, 'need_val_args', False):
                raise ValueError(
                    f'{name} ({kind.__name__}) counts epochs, but train_cfg counts iterations: set by_epoch=False'
                )
        unfit = _unfit(settings, length, resumed)
        if unfit is not None:
            field, value = unfit
            raise ValueError(
                f'{name}.{field} ({kind.__name__}) is {value}, but the training has {length} {unit} '
                f'(train_cfg): {advice}'
            )


def _unfit(settings: Mapping[str, Any], length: int, resumed: bool) -> tuple[str, Any] | None:
    """Return name and value of a setting that does not fit the length of a training, if there is one."""
    begin, end = settings['begin'], settings['end']
    steps = min(end, length) - begin  # that the scheduler takes
    if steps <= 0:
        return 'begin', begin
    # "end" may lie beyond, but not of a scheduler that divides the time up to it.
    if end > length and ('total_iters' in settings or (end < INF and not resumed)):
        return 'end', end
    if settings.get('total_steps', steps) != steps:
        return 'total_steps', settings['total_steps']
    period = settings.get('T_max', steps)
    if not steps <= period <= length:
        return 'T_max', period
    if settings.get('cumulative_periods', [0])[-1] > steps:
        return 'periods', settings['periods']
    last = steps if end >= length else steps - 1  # step at which a value may fall; at the very end it does no harm
    if max(settings.get('milestones') or [0]) > last:
        return 'milestones', sorted(settings['milestones'])
    if settings.get('step_size', 0) > last:
        return 'step_size', settings['step_size']
    return None


def check_values(runner: Runner) -> None:
    """Raise ValueError if a scheduler divides by zero at its first, second or last step.

    Args:
        runner (Runner): Runner with the training, which its schedulers fit.
    """
    for name, scheduler in named_schedulers(runner.param_schedulers):
        if getattr(scheduler, 'need_val_args', False):
            continue
        end = min(scheduler.end, runner.max_epochs if scheduler.by_epoch else runner.max_iters)
        trial, last = copy.copy(scheduler), end - scheduler.begin - 1
        for trial.last_step in sorted({0, min(1, last), last}):
            try:
                trial._get_value()
            except ZeroDivisionError:
                raise ValueError(
                    f'{name} ({type(scheduler).__name__}): {division_by_zero(scheduler.state_dict())}'
                ) from None


def division_by_zero(settings: Mapping[str, Any]) -> str:
    """Return in a few words why a scheduler divides by zero.

    Args:
        settings (dict): Settings of the scheduler, or its state.
    """
    zeros = [name for name in _DIVISORS if settings.get(name) == 0]
    if zeros:
        return f'{zeros[0]} is 0, expected another number, as MMEngine divides by it'
    if settings.get('power', 0) < 0:
        return f'power is {settings["power"]}, expected a positive number'
    if 'eta_max' in settings:  # OneCycleLR
        return (
            'its first phase has no length, because pct_start times the number of steps is 1: '
            'change pct_start, or the length of the training (train_cfg)'
        )
    return 'it divides by zero with these settings'


def validation_problem(runner: Runner) -> str | None:
    """Return one line about validations that never come, or only at the end; None if there are others.

    Args:
        runner (Runner): Runner with the training.
    """
    loop = runner.train_loop
    if runner.val_loop is None or not hasattr(loop, 'val_begin'):
        return None
    by_iter = isinstance(loop, IterBasedTrainLoop)
    length, unit = (loop.max_iters, 'iterations') if by_iter else (loop.max_epochs, 'epochs')
    interval, end = min(loop.dynamic_intervals), f'but the training has {length} {unit}: it'
    if loop.val_begin > length:
        return f'train_cfg.val_begin is {loop.val_begin}, {end} never validates'
    return f'train_cfg.val_interval is {interval}, {end} validates at its end alone' if interval > length else None


def schedule_changes(checkpoint: Mapping[str, Any], runner: Runner) -> list[str]:
    """Compare the schedule of a checkpoint with that of the training that resumes it.

    Args:
        checkpoint (dict): Checkpoint whose state was checked.
        runner (Runner): Runner with the training.

    Returns:
        list[str]: A few words for each difference.
    """
    info = checkpoint['message_hub']['runtime_info']
    by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
    name, length = ('max_iters', runner.max_iters) if by_iter else ('max_epochs', runner.max_epochs)
    changes = []
    if info.get(name, length) != length:
        changes.append(f'train_cfg.{name} was {info[name]}, is {length}')
    moving = set()
    if 'param_schedulers' in checkpoint and runner.param_schedulers is not None:
        ours = list(named_schedulers(runner.param_schedulers))
        for (name, scheduler), (_, state) in zip(ours, named_schedulers(checkpoint['param_schedulers'])):
            moving |= {scheduler.param_name} | ({'betas'} if scheduler.param_name == 'momentum' else set())
            found = list(_differences(state, scheduler.state_dict(), _PROGRESS, name))
            changes += [change for change in found if '._' not in change] or found
    if 'optimizer' in checkpoint:
        changes += _optimizer_changes(checkpoint['optimizer'], runner.optim_wrapper, moving, 'optimizer')
    return changes


def _optimizer_changes(state: Any, wrapper: Any, moving: set[str], name: str) -> list[str]:
    """Return a difference for each setting, from the first group in which it differs."""
    if isinstance(wrapper, OptimWrapperDict):
        return [
            change
            for key, one in wrapper.items()
            for change in _optimizer_changes(state[key], one, moving, f'{name}.{key}')
        ]
    changes: dict[str, str] = {}
    for group, living in zip(state['param_groups'], wrapper.optimizer.param_groups):
        numbers = {key: value for key, value in living.items() if _is_number(value) and key not in moving}
        for change in _differences(group, numbers, frozenset(), name):
            changes.setdefault(change.split()[0], change)
    return list(changes.values())


def _is_number(value: Any) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    return all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in values)


def _differences(given: Mapping[str, Any], wanted: Mapping[str, Any], ignored: frozenset, name: str) -> Iterator[str]:
    for key, value in wanted.items():
        if key not in ignored and key in given and not _is_same(given[key], value):
            yield f'{name}.{key} stays {_shown(given[key])}, not {_shown(value)} as in the config'


def _is_same(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, (list, tuple)):
        return len(given) == len(wanted) and all(map(_is_same, given, wanted))
    return given == wanted


def _shown(value: Any) -> str:
    text = str(sorted(value) if isinstance(value, dict) else value)
    return text if len(text) < 60 else f'{text[:57]}...'
