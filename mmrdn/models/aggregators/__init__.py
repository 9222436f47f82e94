# Copyright (c) mmrdn contributors. All rights reserved.
from .object_relation_aggregator import ObjectRelationAggregator

__all__ = ['ObjectRelationAggregator']
