# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.layers.box_geometry import (
    angle_factors,
    encode_angles,
    encode_geometry,
    geometric_features,
    pairwise_geometry_encoding,
)
from mmrdn.models.layers.geometry_weights import BoxTerms, box_terms, geometry_tiles
from mmrdn.models.layers.relation import attend, attend_parts, merge_heads, merge_parts, split_heads

__all__ = [
    'BoxTerms',
    'angle_factors',
    'attend',
    'attend_parts',
    'box_terms',
    'encode_angles',
    'encode_geometry',
    'geometric_features',
    'geometry_tiles',
    'merge_heads',
    'merge_parts',
    'pairwise_geometry_encoding',
    'split_heads',
]
