# Copyright (c) mmrdn contributors. All rights reserved.
from .seeded_infinite_sampler import SeededIndex, SeededInfiniteSampler

__all__ = ['SeededIndex', 'SeededInfiniteSampler']
