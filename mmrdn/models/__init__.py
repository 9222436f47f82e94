# Copyright (c) mmrdn contributors. All rights reserved.
from .necks import ObjectRelationModule, RelationAggregator
from .roi_heads import RDNBBoxHead, RDNCascadeRoIHead, RDNRoIHead
from .task_modules import (NextFrameRelations, RelationMemory,
                           SelectiveSupportSampler, SlidingWindow, TopSupports)
from .vid import RDN

__all__ = [
    'NextFrameRelations', 'ObjectRelationModule', 'RDN', 'RDNBBoxHead',
    'RDNCascadeRoIHead', 'RDNRoIHead', 'RelationAggregator', 'RelationMemory',
    'SelectiveSupportSampler', 'SlidingWindow', 'TopSupports'
]
