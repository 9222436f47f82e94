# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.imagenet_vid_classes import MOVING_DIGITS
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class MovingDigitsDataset(VideoDetDataset):
    """Moving digits, made by :mod:`mmrdn.datasets.moving_digits`."""

    METAINFO = dict(classes=tuple(MOVING_DIGITS))
