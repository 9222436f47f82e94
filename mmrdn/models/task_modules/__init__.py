# Copyright (c) mmrdn contributors. All rights reserved.
from .build_recorders import build_recorders
from .inclusive_box_coder import InclusiveDeltaXYWHBBoxCoder
from .next_frame_relations import NextFrameRelations
from .relation_memory import RelationMemory
from .repeated_frame_window import RepeatedFrameWindow
from .rounded_anchor_generator import RoundedAnchorGenerator
from .selective_support_sampler import SelectiveSupportSampler
from .sliding_window import SlidingWindow
from .temporal_window import TemporalWindow
from .top_supports import TopSupports

__all__ = [
    'InclusiveDeltaXYWHBBoxCoder', 'NextFrameRelations', 'RelationMemory',
    'RepeatedFrameWindow', 'RoundedAnchorGenerator', 'SelectiveSupportSampler',
    'SlidingWindow', 'TemporalWindow', 'TopSupports', 'build_recorders'
]
