# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.engine.hooks import (
    ChannelsLastHook,
    CheckpointGuardHook,
    CostHook,
    FiniteLossHook,
    IterSeedHook,
    LateVisualizationHook,
    ReportProgressHook,
    ShardProgressHook,
)
from mmrdn.engine.loops import ValidateLoop
from mmrdn.engine.optim_wrappers import CPUAmpOptimWrapper

__all__ = [
    'ChannelsLastHook',
    'CPUAmpOptimWrapper',
    'CheckpointGuardHook',
    'CostHook',
    'FiniteLossHook',
    'IterSeedHook',
    'LateVisualizationHook',
    'ReportProgressHook',
    'ShardProgressHook',
    'ValidateLoop',
]
