# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.layers.box_geometry import encode_geometry, geometric_features, pairwise_geometry_encoding
from mmrdn.models.layers.geometry_weights import BoxTerms, box_terms, geometry_weights, size_queries
from mmrdn.models.layers.relation import RelationSum, add_sums, merge_heads, relation_sum, split_heads, tiled_relation

__all__ = [
    'BoxTerms',
    'RelationSum',
    'add_sums',
    'box_terms',
    'encode_geometry',
    'geometric_features',
    'geometry_weights',
    'merge_heads',
    'pairwise_geometry_encoding',
    'relation_sum',
    'size_queries',
    'split_heads',
    'tiled_relation',
]
