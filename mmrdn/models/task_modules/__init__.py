# Copyright (c) mmrdn contributors. All rights reserved.
from .relation_memory import RelationMemory
from .selective_support_sampler import SelectiveSupportSampler
from .sliding_window import SlidingWindow

__all__ = ['RelationMemory', 'SelectiveSupportSampler', 'SlidingWindow']
