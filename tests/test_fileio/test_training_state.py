# Copyright (c) mmrdn contributors. All rights reserved.
import copy

import pytest
import torch
import torch.nn as nn
from mmengine.logging import HistoryBuffer
from mmengine.optim import CosineAnnealingLR, LinearLR, MultiStepLR, OneCycleLR, OptimWrapper, OptimWrapperDict, StepLR

from mmrdn.fileio.training_state import check_message_hub, check_optimizer, check_schedulers


def trained(kind, **settings):
    """An optimizer after a step."""
    model = nn.Linear(3, 2)
    wrapper = OptimWrapper(kind(model.parameters(), lr=0.1, **settings))
    wrapper.update_params(model(torch.ones(1, 3)).sum())
    return wrapper


OPTIMIZERS = [
    (torch.optim.SGD, {}),
    (torch.optim.SGD, dict(momentum=0.9)),
    (torch.optim.Adam, {}),
    (torch.optim.AdamW, dict(amsgrad=True)),
    (torch.optim.Adagrad, {}),
    (torch.optim.RMSprop, dict(centered=True, momentum=0.5)),
    (torch.optim.Adadelta, {}),
    (torch.optim.NAdam, {}),
    (torch.optim.ASGD, {}),
    (torch.optim.Rprop, {}),
    *[(kind, {}) for kind in [getattr(torch.optim, 'Adafactor', None)] if kind],  # torch 2.5
]


@pytest.mark.parametrize('kind, settings', OPTIMIZERS, ids=lambda value: getattr(value, '__name__', ''))
def test_an_optimizer_takes_its_own_state(kind, settings):
    """A new one takes it too, whose living settings are those of its first step."""
    state = copy.deepcopy(trained(kind, **settings).state_dict())
    check_optimizer(state, trained(kind, **settings))
    check_optimizer(state, OptimWrapper(kind(nn.Linear(3, 2).parameters(), lr=0.2, **settings)))
    several = OptimWrapperDict(a=trained(kind, **settings))
    check_optimizer(dict(a=state), several)
    with pytest.raises(ValueError, match='optimizer is of other optimizers than the config has'):
        check_optimizer(dict(b=state), several)


@pytest.mark.parametrize(
    'path, value, message',
    [
        ((), None, 'optimizer is None, expected a dict'),
        (('state',), None, 'optimizer.state is None, expected a dict'),
        (('state', 7), {}, 'optimizer.state has 7, which is no parameter'),
        (('state', 0), [], 'optimizer.state.0 is a list, expected a dict'),
        (('state', 0, 'exp_avg'), 'x', "optimizer.state.0.exp_avg is 'x', expected a tensor"),
        (('state', 0, 'exp_avg'), 1.0, 'optimizer.state.0.exp_avg is 1.0, expected a tensor'),
        (('state', 0, 'exp_avg'), ..., 'optimizer.state.0.exp_avg is None, expected a tensor'),
        (('state', 0, 'max_exp'), torch.ones(2, 3), 'optimizer.state.0.max_exp is nothing that the optimizer rem'),
        (('state', 0, 'step'), torch.tensor(-1.0), 'optimizer.state.0.step is a Tensor, expected a number'),
        (('state', 0, 'step'), torch.tensor(True), 'optimizer.state.0.step is a Tensor, expected a number'),
        (('state', 0, 'step'), -2, 'optimizer.state.0.step is -2, expected a number'),
        (('param_groups', 0, 'amsgrad'), True, 'optimizer.state.0.max_exp_avg_sq is None, expected a tensor'),
        (('param_groups', 0, 'betas'), (1.0, 1.0), 'optimizer.state: the settings of group 0 let no step succeed ('),
        (('param_groups', 0, 'lr'), 10**400, 'optimizer.param_groups.0.lr is an int, expected 0.1 or the like'),
        (('param_groups', 0, 'lr'), torch.ones(1, 1), 'optimizer.param_groups.0.lr is a Tensor, expected 0.1'),
        (('state', 0, 'exp_avg'), torch.ones(5), 'optimizer.state.0.exp_avg is (5,), its parameter (2, 3)'),
        (('state', 0, 'exp_avg'), torch.tensor(1.0), 'optimizer.state.0.exp_avg is (), its parameter (2, 3)'),
        (('state', 0, 'exp_avg'), torch.ones(1, 3), 'optimizer.state.0.exp_avg is (1, 3), its parameter (2, 3)'),
        (('state', 0, 'step'), torch.ones(2), 'optimizer.state.0.step is a Tensor, expected a number'),
        (('state', 0, 'exp_avg_sq'), None, 'optimizer.state.0.exp_avg_sq is None, expected a tensor'),
        (('param_groups',), [], 'optimizer.param_groups is no list of 1 groups'),
        (('param_groups', 0), 1, 'optimizer.param_groups.0 is 1, expected a dict'),
        (('param_groups', 0, 'params'), [0], 'optimizer.param_groups.0 is not of 2 parameters'),
        (('param_groups', 0, 'params'), [0, 'a'], "optimizer.param_groups.0.params is 'a', expected an integer from 0"),
        (('param_groups', 0, 'lr'), 'fast', "optimizer.param_groups.0.lr is 'fast', expected 0.1 or the like"),
        (('param_groups', 0, 'lr'), float('nan'), 'optimizer.param_groups.0.lr is nan, expected 0.1 or the like'),
        (('param_groups', 0, 'betas'), (0.9,), 'optimizer.param_groups.0.betas is a tuple, expected a tuple'),
        (('param_groups', 0, 'betas'), (0.9, None), 'optimizer.param_groups.0.betas.1 is None, expected 0.999'),
        (('param_groups', 0, 'eps'), ..., 'optimizer.param_groups.0 has no eps'),
        (('param_groups', 0, 'amsgrad'), 1, 'optimizer.param_groups.0.amsgrad is 1, expected False or the like'),
    ],
)  # fmt: skip
def test_a_broken_optimizer(path, value, message):
    """A value of ``...`` stands for an entry that is missing."""
    wrapper = trained(torch.optim.Adam)
    state = owner = dict(optimizer=copy.deepcopy(wrapper.state_dict()))
    *parents, last = ('optimizer', *path)
    for name in parents:
        owner = owner[name]
    if value is ...:
        del owner[last]
    else:
        owner[last] = value
    with pytest.raises(ValueError) as error:
        check_optimizer(state['optimizer'], wrapper)
    assert str(error.value).startswith(message)


def test_entries_missing_for_some_parameters():
    weights = nn.ParameterList([torch.ones(3), torch.ones(4)])
    wrapper = OptimWrapper(torch.optim.AdamW(weights, fused=True))
    wrapper.update_params(sum(weight.sum() for weight in weights))
    state = copy.deepcopy(wrapper.state_dict())
    check_optimizer(state, wrapper)
    del state['state'][1]['exp_avg_sq']
    with pytest.raises(ValueError, match='optimizer.state.1.exp_avg_sq is None, expected a tensor'):
        check_optimizer(state, wrapper)


def test_yes_or_no_settings_of_newer_versions_may_be_missing():
    wrapper = trained(torch.optim.Adam)
    state = copy.deepcopy(wrapper.state_dict())
    for name in ('maximize', 'foreach', 'capturable'):
        del state['param_groups'][0][name]
    check_optimizer(state, wrapper)


def test_schedulers():
    wrapper = trained(torch.optim.SGD, momentum=0.9)
    schedulers = [MultiStepLR(wrapper, [2, 4]), OneCycleLR(wrapper, eta_max=1.0, total_steps=8)]
    states = [copy.deepcopy(scheduler.state_dict()) for scheduler in schedulers]
    check_schedulers(states, schedulers)
    check_schedulers(dict(a=states), dict(a=schedulers))
    for change, message in (
        (dict(step=0), 'param_schedulers.0.step is no setting of MultiStepLR'),
        (dict(milestones=None), 'param_schedulers.0.milestones is None, expected a Counter or the like'),
        (dict(gamma='x'), "param_schedulers.0.gamma is 'x', expected 0.1 or the like"),
        (dict(last_step=-2), 'param_schedulers.0.last_step is -2, expected an integer from 0 to 9007199254740992'),
        (dict(base_values=[]), 'param_schedulers.0.base_values is a list, expected a list or the like'),
    ):
        with pytest.raises(ValueError) as error:
            check_schedulers([states[0] | change, states[1]], schedulers)
        assert str(error.value) == message
    for name, value in (('start_lr', 1.0), ('start_lr', 'text'), ('end_lr', None), ('end_step', 'x'), ('end_lr', ...)):
        broken = copy.deepcopy(states)
        broken[1]['_schedule_phases'][1][name] = value
        if value is ...:
            del broken[1]['_schedule_phases'][1][name]
        with pytest.raises(ValueError, match=f'param_schedulers.1._schedule_phases.1(.{name} is| has no {name})'):
            check_schedulers(broken, schedulers)
    for state in (None, states[:1], {}):
        with pytest.raises(ValueError, match='expected a list of 2 states'):
            check_schedulers(state, schedulers)


def hub(**changes):
    parts = dict(log_scalars=dict(loss=HistoryBuffer([1], [1])), runtime_info={}, resumed_keys=dict(loss=True))
    return parts | changes


@pytest.mark.parametrize(
    'value, message',
    [
        (None, 'message_hub is None, expected a dict'),
        (dict(log_scalars={}), 'message_hub has no runtime_info'),
        (hub(log_scalars=[]), 'message_hub.log_scalars is a list, expected a dict'),
        (hub(log_scalars=dict(a=None)), 'message_hub.log_scalars.a is None, expected a HistoryBuffer'),
        (hub(resumed_keys=dict(a=1)), 'message_hub.resumed_keys.a is 1, expected a bool'),
        (hub(runtime_info=dict(best_score='x')), "message_hub.runtime_info.best_score is 'x', expected a number"),
        (hub(runtime_info=dict(best_score_a=[])), 'message_hub.runtime_info.best_score_a is a list, expected a number'),
        (hub(runtime_info=dict(best_ckpt=3)), 'message_hub.runtime_info.best_ckpt is 3, expected a path'),
        (hub(runtime_info=dict(keep_ckpt_ids=3)), 'message_hub.runtime_info.keep_ckpt_ids is 3, expected a list'),
        (
            hub(runtime_info=dict(keep_ckpt_ids=['/../x'])),
            "message_hub.runtime_info.keep_ckpt_ids is '/../x', expected an integer from 0 to 9007199254740992",
        ),
    ],
)
def test_a_broken_message_hub(value, message):
    check_message_hub(hub(runtime_info=dict(best_score=0.5, best_ckpt='a', keep_ckpt_ids=[1], iter=3)))
    with pytest.raises(ValueError) as error:
        check_message_hub(value)
    assert str(error.value) == message


@pytest.mark.parametrize(
    'kind, settings, change, message',
    [
        (MultiStepLR, dict(milestones=[2]), dict(milestones={2: 10**400}), '.milestones.2 is an int, expected'),
        (MultiStepLR, dict(milestones=[2]), dict(milestones={2: -1}), '.milestones.2 is -1, expected'),
        (MultiStepLR, dict(milestones=[2]), dict(milestones={2: 'x'}), ".milestones.2 is 'x', expected an integer"),
        (CosineAnnealingLR, dict(T_max=9), dict(T_max=0), ' gives no next value ('),
        (StepLR, dict(step_size=3), dict(step_size=0), ' gives no next value ('),
        (OneCycleLR, dict(eta_max=1.0, total_steps=8), dict(total_steps=0), ' gives no next value ('),
        (OneCycleLR, dict(eta_max=1.0, total_steps=8), dict(total_steps=10**400), '.total_steps is an int, expected 8'),
        (LinearLR, dict(end=5), dict(start_factor=float('inf')), '.start_factor is inf, expected '),
    ],
)
def test_a_scheduler_without_a_next_value(kind, settings, change, message):
    """Also one that has not counted yet, and one at its end."""
    scheduler = kind(trained(torch.optim.SGD), **settings)
    good = copy.deepcopy(scheduler.state_dict())
    before = copy.deepcopy(scheduler.state_dict())
    for last_step in (0, 3, 8):
        check_schedulers([good | dict(last_step=last_step)], [scheduler])
        with pytest.raises(ValueError) as error:
            check_schedulers([good | dict(last_step=last_step) | change], [scheduler])
        assert str(error.value).startswith(f'param_schedulers.0{message}')
    assert scheduler.state_dict() == before


def test_settings_that_make_nan():
    """Fused kernels divide by zero without a word."""
    wrapper = trained(torch.optim.AdamW, fused=True)
    state = copy.deepcopy(wrapper.state_dict())
    check_optimizer(state, wrapper)
    state['param_groups'][0]['betas'] = (1.0, 1.0)
    with pytest.raises(ValueError, match='let no step succeed .parameters become NaN or infinite'):
        check_optimizer(state, wrapper)
