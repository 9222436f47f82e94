# Copyright (c) mmrdn contributors. All rights reserved.
# mmtrack.datasets does not import its transforms, and their names resolve without a prefix only
# once they are in mmtrack's registry node.
import mmtrack.datasets.transforms  # noqa: F401

from mmrdn.datasets.every_frame_dataset import EveryFrameDataset
from mmrdn.datasets.imagenet_vid_dataset import ImageNetVIDDataset
from mmrdn.datasets.moving_digits_dataset import MovingDigitsDataset
from mmrdn.datasets.samplers import DefaultSampler, RemainingFrames, SeededInfiniteSampler, VideoSampler
from mmrdn.datasets.seeded_index import SeededIndex
from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.datasets.transforms import (
    LoadFrame,
    LoadTrackAnnotations,
    PackTrackInputs,
    ShorterSideResize,
    SkippableFrame,
    TransformBroadcaster,
    collate_skippable,
)
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.datasets.wrappers import ClassBalancedDataset, ConcatDataset, RandomSampleConcatDataset, RepeatDataset

__all__ = [
    'ClassBalancedDataset',
    'ConcatDataset',
    'DefaultSampler',
    'EveryFrameDataset',
    'ImageNetVIDDataset',
    'LoadFrame',
    'LoadTrackAnnotations',
    'MovingDigitsDataset',
    'PackTrackInputs',
    'RandomSampleConcatDataset',
    'RemainingFrames',
    'RepeatDataset',
    'SeededIndex',
    'SeededInfiniteSampler',
    'SeededSamples',
    'ShorterSideResize',
    'SkippableFrame',
    'TransformBroadcaster',
    'VideoDetDataset',
    'VideoSampler',
    'collate_skippable',
]
