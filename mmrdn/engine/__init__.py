# Copyright (c) mmrdn contributors. All rights reserved.
from .hooks import CheckpointGuardHook, FiniteLossHook, IterSeedHook
from .optim_wrappers import CPUAmpOptimWrapper

__all__ = [
    'CPUAmpOptimWrapper', 'CheckpointGuardHook', 'FiniteLossHook',
    'IterSeedHook'
]
