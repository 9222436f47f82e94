# Copyright (c) mmrdn contributors. All rights reserved.
# mmtrack.datasets does not import its transforms, and their names resolve without a prefix only
# once they are in mmtrack's registry node.
import mmtrack.datasets.transforms  # noqa: F401

from mmrdn.datasets.imagenet_vid_dataset import ImageNetVIDDataset
from mmrdn.datasets.moving_digits_dataset import MovingDigitsDataset
from mmrdn.datasets.samplers import RemainingFrames, SeededIndex, SeededInfiniteSampler
from mmrdn.datasets.transforms import LoadFrame, PackTrackInputs, ShorterSideResize, SkippableFrame, collate_skippable
from mmrdn.datasets.video_det_dataset import VideoDetDataset

__all__ = [
    'ImageNetVIDDataset',
    'LoadFrame',
    'MovingDigitsDataset',
    'PackTrackInputs',
    'RemainingFrames',
    'SeededIndex',
    'SeededInfiniteSampler',
    'ShorterSideResize',
    'SkippableFrame',
    'VideoDetDataset',
    'collate_skippable',
]
