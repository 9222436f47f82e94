# Copyright (c) mmrdn contributors. All rights reserved.
from .box_geometry import (encode_geometry, geometric_features,
                           pairwise_geometry_encoding)
from .relation import merge_heads, relation_weights, split_heads

__all__ = [
    'encode_geometry', 'geometric_features', 'merge_heads',
    'pairwise_geometry_encoding', 'relation_weights', 'split_heads'
]
