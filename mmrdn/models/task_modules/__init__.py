# Copyright (c) mmrdn contributors. All rights reserved.
from .build_recorders import build_recorders
from .next_frame_relations import NextFrameRelations
from .relation_memory import RelationMemory
from .selective_support_sampler import SelectiveSupportSampler
from .sliding_window import SlidingWindow
from .temporal_window import TemporalWindow
from .top_supports import TopSupports

__all__ = [
    'NextFrameRelations', 'RelationMemory', 'SelectiveSupportSampler',
    'SlidingWindow', 'TemporalWindow', 'TopSupports', 'build_recorders'
]
