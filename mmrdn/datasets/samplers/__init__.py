# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.samplers.default_sampler import DefaultSampler
from mmrdn.datasets.samplers.remaining_frames import RemainingFrames
from mmrdn.datasets.samplers.seeded_infinite_sampler import SeededInfiniteSampler
from mmrdn.datasets.samplers.video_sampler import VideoSampler

__all__ = ['DefaultSampler', 'RemainingFrames', 'SeededInfiniteSampler', 'VideoSampler']
