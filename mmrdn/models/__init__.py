# Copyright (c) mmrdn contributors. All rights reserved.
from .necks import ObjectRelationModule, RelationAggregator
from .roi_heads import RDNBBoxHead, RDNRoIHead
from .task_modules import (RelationMemory, SelectiveSupportSampler,
                           SlidingWindow)
from .vid import RDN

__all__ = [
    'ObjectRelationModule', 'RDN', 'RDNBBoxHead', 'RDNRoIHead',
    'RelationAggregator', 'RelationMemory', 'SelectiveSupportSampler',
    'SlidingWindow'
]
