# Copyright (c) mmrdn contributors. All rights reserved.
from .checkpoint_guard_hook import CheckpointGuardHook, check_state_dict

__all__ = ['CheckpointGuardHook', 'check_state_dict']
