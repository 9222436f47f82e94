# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.samplers.remaining_frames import RemainingFrames
from mmrdn.datasets.samplers.seeded_infinite_sampler import SeededIndex, SeededInfiniteSampler

__all__ = ['RemainingFrames', 'SeededIndex', 'SeededInfiniteSampler']
