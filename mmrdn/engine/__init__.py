# Copyright (c) mmrdn contributors. All rights reserved.
from .hooks import (ChannelsLastHook, CheckpointGuardHook, CostHook,
                    FiniteLossHook, IterSeedHook, LateVisualizationHook,
                    ShardProgressHook)
from .loops import ValidateLoop
from .optim_wrappers import CPUAmpOptimWrapper

__all__ = [
    'ChannelsLastHook', 'CPUAmpOptimWrapper', 'CheckpointGuardHook',
    'CostHook', 'FiniteLossHook', 'IterSeedHook', 'LateVisualizationHook',
    'ShardProgressHook', 'ValidateLoop'
]
