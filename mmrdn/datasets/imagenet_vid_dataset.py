# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.imagenet_vid_classes import get_class_names
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class ImageNetVIDDataset(VideoDetDataset):
    """ImageNet VID, or the stills of ImageNet DET of its 30 classes."""

    METAINFO = dict(classes=get_class_names('imagenet_vid'))
