# Copyright (c) mmrdn contributors. All rights reserved.
# mmtrack.datasets does not import its transforms, and their names resolve
# without a prefix only once they are in mmtrack's registry node.
import mmtrack.datasets.transforms  # noqa: F401

from .coco_vid_file import CocoVidFile
from .imagenet_vid_dataset import ImageNetVIDDataset
from .moving_digits_dataset import MovingDigitsDataset
from .samplers import SeededIndex, SeededInfiniteSampler
from .transforms import LoadFrame, ShorterSideResize
from .video_det_dataset import VideoDetDataset

__all__ = [
    'CocoVidFile', 'ImageNetVIDDataset', 'LoadFrame', 'MovingDigitsDataset',
    'SeededIndex', 'SeededInfiniteSampler', 'ShorterSideResize',
    'VideoDetDataset'
]
