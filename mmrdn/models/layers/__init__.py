# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.layers.geometry import (
    BoxTerms,
    angle_factors,
    box_terms,
    encode_angles,
    geometric_features,
    geometry_tiles,
    geometry_weights,
    pairwise_geometry_encoding,
    sine_arguments,
)
from mmrdn.models.layers.relation import attend, attend_frames, attend_parts, merge_heads, merge_parts, split_heads

__all__ = [
    'BoxTerms',
    'angle_factors',
    'attend',
    'attend_frames',
    'attend_parts',
    'box_terms',
    'encode_angles',
    'geometric_features',
    'geometry_tiles',
    'geometry_weights',
    'merge_heads',
    'merge_parts',
    'pairwise_geometry_encoding',
    'sine_arguments',
    'split_heads',
]
