# Copyright (c) mmrdn contributors. All rights reserved.
from .object_relation_module import ObjectRelationModule
from .relation_aggregator import RelationAggregator

__all__ = ['ObjectRelationModule', 'RelationAggregator']
