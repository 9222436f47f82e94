# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.registry import DATASETS
from .imagenet_vid_classes import get_class_names
from .video_det_dataset import VideoDetDataset


@DATASETS.register_module()
class ImageNetVIDDataset(VideoDetDataset):
    """ImageNet VID, or the stills of ImageNet DET of its 30 classes."""

    METAINFO = dict(classes=get_class_names('imagenet_vid'))
