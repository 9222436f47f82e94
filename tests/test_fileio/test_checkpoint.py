# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
import torch.nn as nn

from mmrdn.fileio.checkpoint import check_state_dict


@pytest.mark.parametrize(
    'change, partial, message',
    [
        (dict(), False, None),
        (dict(weight=None), True, None),
        (dict(weight=None), False, 'it lacks 1 of 2 entries, the first is weight'),
        (dict(weight=torch.ones(3, 2)), False, r'weight is \(3, 2\), expected \(2, 3\)'),
        (dict(weight=torch.ones(3, 2)), True, None),
        (dict(weight=None, bias=None), True, 'none of its 0 entries fits Linear'),
        (dict(extra=torch.ones(1)), False, 'the model lacks 1 of its 3 entries, the first is (module.)?extra'),
        (dict(extra=torch.ones(1)), True, None),
        (dict(bias=torch.tensor([1, torch.nan])), True, 'bias of the .* holds NaN'),
        (dict(bias=torch.tensor([1, torch.inf])), False, 'bias of the .* infinite'),
    ],
)
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_check_state_dict(change, partial, message, prefix):
    """With and without the prefix of a distributed training."""
    model = nn.Linear(3, 2)
    state = dict(model.state_dict(), **change)
    state = {prefix + k: v for k, v in state.items() if v is not None}
    for checkpoint in (state, dict(state_dict=state)):
        if message is None:
            check_state_dict(model, checkpoint, partial)
        else:
            with pytest.raises(ValueError, match=message):
                check_state_dict(model, checkpoint, partial)
