# Copyright (c) mmrdn contributors. All rights reserved.
from .channels_last_hook import ChannelsLastHook
from .checkpoint_guard_hook import (CheckpointGuardHook, check_finite,
                                    check_state_dict, state_dict_of)
from .cost_hook import CostHook
from .finite_loss_hook import FiniteLossHook
from .iter_seed_hook import IterSeedHook
from .late_visualization_hook import LateVisualizationHook
from .shard_progress_hook import ShardProgressHook

__all__ = [
    'ChannelsLastHook', 'CheckpointGuardHook', 'CostHook', 'FiniteLossHook',
    'IterSeedHook', 'LateVisualizationHook', 'ShardProgressHook',
    'check_finite', 'check_state_dict', 'state_dict_of'
]
