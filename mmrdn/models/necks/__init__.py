# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.necks.last_map_reducer import LastMapReducer
from mmrdn.models.necks.object_relation_aggregator import ObjectRelationAggregator
from mmrdn.models.necks.object_relation_module import ObjectRelationModule
from mmrdn.models.necks.relation_aggregator import RelationAggregator
from mmrdn.models.necks.selsa_relation import SelsaRelation

__all__ = ['LastMapReducer', 'ObjectRelationAggregator', 'ObjectRelationModule', 'RelationAggregator', 'SelsaRelation']
