# Copyright (c) mmrdn contributors. All rights reserved.
from .aggregators import ObjectRelationAggregator
from .motion import NarrowFlowNet
from .necks import (LastMapReducer, ObjectRelationModule, RelationAggregator,
                    SelsaRelation)
from .roi_heads import (InputScaleBBoxHead, RDNBBoxHead, RDNCascadeRoIHead,
                        RDNRoIHead, TemporalRDNRoIHead)
from .task_modules import (InclusiveDeltaXYWHBBoxCoder, NextFrameRelations,
                           RelationMemory, RepeatedFrameWindow,
                           RoundedAnchorGenerator, SelectiveSupportSampler,
                           SlidingWindow, TemporalWindow, TopSupports)
from .vid import RDN, SELSA, TemporalRDN

__all__ = [
    'InclusiveDeltaXYWHBBoxCoder', 'InputScaleBBoxHead', 'LastMapReducer',
    'NarrowFlowNet', 'NextFrameRelations', 'ObjectRelationAggregator',
    'ObjectRelationModule', 'RDN', 'RDNBBoxHead', 'RDNCascadeRoIHead',
    'RDNRoIHead', 'RelationAggregator', 'RelationMemory',
    'RepeatedFrameWindow', 'RoundedAnchorGenerator', 'SELSA',
    'SelectiveSupportSampler', 'SelsaRelation', 'SlidingWindow', 'TemporalRDN',
    'TemporalRDNRoIHead', 'TemporalWindow', 'TopSupports'
]
