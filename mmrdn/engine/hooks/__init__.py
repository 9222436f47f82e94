# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.engine.hooks.channels_last_hook import ChannelsLastHook
from mmrdn.engine.hooks.checkpoint_guard_hook import CheckpointGuardHook
from mmrdn.engine.hooks.checkpoint_hook import CheckpointHook
from mmrdn.engine.hooks.cost_hook import CostHook
from mmrdn.engine.hooks.early_stopping_hook import EarlyStoppingHook
from mmrdn.engine.hooks.finite_loss_hook import FiniteLossHook
from mmrdn.engine.hooks.iter_seed_hook import IterSeedHook
from mmrdn.engine.hooks.keep_memory_hook import KeepMemoryHook
from mmrdn.engine.hooks.late_visualization_hook import LateVisualizationHook
from mmrdn.engine.hooks.logger_hook import LoggerHook
from mmrdn.engine.hooks.report_progress_hook import ReportProgressHook
from mmrdn.engine.hooks.run_guard_hook import RunGuardHook
from mmrdn.engine.hooks.schedule_guard_hook import ScheduleGuardHook
from mmrdn.engine.hooks.shard_progress_hook import ShardProgressHook
from mmrdn.engine.hooks.validation_loss_hook import ValidationLossHook
from mmrdn.engine.hooks.whole_iterations_hook import WholeIterationsHook

__all__ = [
    'ChannelsLastHook',
    'CheckpointGuardHook',
    'CheckpointHook',
    'CostHook',
    'EarlyStoppingHook',
    'FiniteLossHook',
    'IterSeedHook',
    'KeepMemoryHook',
    'LateVisualizationHook',
    'LoggerHook',
    'ReportProgressHook',
    'RunGuardHook',
    'ScheduleGuardHook',
    'ShardProgressHook',
    'ValidationLossHook',
    'WholeIterationsHook',
]
