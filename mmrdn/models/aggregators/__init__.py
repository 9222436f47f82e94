# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.aggregators.object_relation_aggregator import ObjectRelationAggregator

__all__ = ['ObjectRelationAggregator']
