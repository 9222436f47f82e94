# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.memory.frame_maps import FrameMaps
from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.next_frame_relations import NextFrameRelations
from mmrdn.models.memory.recorders import build_recorders
from mmrdn.models.memory.relation_memory import RelationMemory
from mmrdn.models.memory.repeated_frame_window import RepeatedFrameWindow
from mmrdn.models.memory.sliding_window import SlidingWindow
from mmrdn.models.memory.temporal_window import TemporalWindow
from mmrdn.models.memory.top_supports import TopSupports

__all__ = [
    'FrameMaps',
    'FrameProposals',
    'NextFrameRelations',
    'RelationMemory',
    'RepeatedFrameWindow',
    'SlidingWindow',
    'TemporalWindow',
    'TopSupports',
    'build_recorders',
]
