# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.memory import (
    NextFrameRelations,
    RelationMemory,
    RelationStep,
    RepeatedFrameWindow,
    SlidingWindow,
    TopSupports,
)
from mmrdn.models.motion import NarrowFlowNet
from mmrdn.models.necks import (
    LastMapReducer,
    ObjectRelationAggregator,
    ObjectRelationModule,
    RelationAggregator,
    SelsaRelation,
)
from mmrdn.models.roi_heads import InputScaleBBoxHead, RDNBBoxHead, RDNCascadeRoIHead, RDNRoIHead, TemporalRDNRoIHead
from mmrdn.models.task_modules import (
    ByteTracker,
    InclusiveDeltaXYWHBBoxCoder,
    RoundedAnchorGenerator,
    SelectiveSupportSampler,
)
from mmrdn.models.vid import RDN, SELSA, TemporalRDN, TemporalWindow

__all__ = [
    'ByteTracker',
    'InclusiveDeltaXYWHBBoxCoder',
    'InputScaleBBoxHead',
    'LastMapReducer',
    'NarrowFlowNet',
    'NextFrameRelations',
    'ObjectRelationAggregator',
    'ObjectRelationModule',
    'RDN',
    'RDNBBoxHead',
    'RDNCascadeRoIHead',
    'RDNRoIHead',
    'RelationAggregator',
    'RelationMemory',
    'RelationStep',
    'RepeatedFrameWindow',
    'RoundedAnchorGenerator',
    'SELSA',
    'SelectiveSupportSampler',
    'SelsaRelation',
    'SlidingWindow',
    'TemporalRDN',
    'TemporalRDNRoIHead',
    'TemporalWindow',
    'TopSupports',
]
