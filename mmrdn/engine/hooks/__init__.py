# Copyright (c) mmrdn contributors. All rights reserved.
from .checkpoint_guard_hook import CheckpointGuardHook, check_state_dict
from .finite_loss_hook import FiniteLossHook
from .iter_seed_hook import IterSeedHook

__all__ = [
    'CheckpointGuardHook', 'FiniteLossHook', 'IterSeedHook', 'check_state_dict'
]
