# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.task_modules.build_recorders import build_recorders
from mmrdn.models.task_modules.inclusive_box_coder import InclusiveDeltaXYWHBBoxCoder
from mmrdn.models.task_modules.next_frame_relations import NextFrameRelations
from mmrdn.models.task_modules.relation_memory import RelationMemory
from mmrdn.models.task_modules.repeated_frame_window import RepeatedFrameWindow
from mmrdn.models.task_modules.rounded_anchor_generator import RoundedAnchorGenerator
from mmrdn.models.task_modules.selective_support_sampler import SelectiveSupportSampler
from mmrdn.models.task_modules.sliding_window import SlidingWindow
from mmrdn.models.task_modules.temporal_window import TemporalWindow
from mmrdn.models.task_modules.top_supports import TopSupports

__all__ = [
    'InclusiveDeltaXYWHBBoxCoder',
    'NextFrameRelations',
    'RelationMemory',
    'RepeatedFrameWindow',
    'RoundedAnchorGenerator',
    'SelectiveSupportSampler',
    'SlidingWindow',
    'TemporalWindow',
    'TopSupports',
    'build_recorders',
]
