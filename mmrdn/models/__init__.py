# Copyright (c) mmrdn contributors. All rights reserved.
from .aggregators import ObjectRelationAggregator
from .necks import ObjectRelationModule, RelationAggregator, SelsaRelation
from .roi_heads import (RDNBBoxHead, RDNCascadeRoIHead, RDNRoIHead,
                        TemporalRDNRoIHead)
from .task_modules import (NextFrameRelations, RelationMemory,
                           SelectiveSupportSampler, SlidingWindow,
                           TemporalWindow, TopSupports)
from .vid import RDN, TemporalRDN

__all__ = [
    'NextFrameRelations', 'ObjectRelationAggregator', 'ObjectRelationModule',
    'RDN', 'RDNBBoxHead', 'RDNCascadeRoIHead', 'RDNRoIHead',
    'RelationAggregator', 'RelationMemory', 'SelectiveSupportSampler',
    'SelsaRelation', 'SlidingWindow', 'TemporalRDN', 'TemporalRDNRoIHead',
    'TemporalWindow', 'TopSupports'
]
