# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.recorders import NextFrameRelations, Recorder, TopSupports, build_recorders
from mmrdn.models.memory.relation_memory import RelationMemory
from mmrdn.models.memory.relation_step import RelationStep
from mmrdn.models.memory.repeated_frame_window import RepeatedFrameWindow
from mmrdn.models.memory.sliding_window import SlidingWindow

__all__ = [
    'FrameProposals',
    'NextFrameRelations',
    'Recorder',
    'RelationMemory',
    'RelationStep',
    'RepeatedFrameWindow',
    'SlidingWindow',
    'TopSupports',
    'build_recorders',
]
