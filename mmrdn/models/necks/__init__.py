# Copyright (c) mmrdn contributors. All rights reserved.
from .last_map_reducer import LastMapReducer
from .object_relation_module import ObjectRelationModule
from .relation_aggregator import RelationAggregator
from .selsa_relation import SelsaRelation

__all__ = [
    'LastMapReducer', 'ObjectRelationModule', 'RelationAggregator',
    'SelsaRelation'
]
