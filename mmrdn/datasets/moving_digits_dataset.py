# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.imagenet_vid_classes import get_class_names
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class MovingDigitsDataset(VideoDetDataset):
    """Moving digits, see :mod:`mmrdn.datasets.moving_digits`."""

    METAINFO = dict(classes=get_class_names('moving_digits'))
