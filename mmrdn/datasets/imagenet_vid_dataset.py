# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.imagenet_vid_classes import IMAGENET_VID
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class ImageNetVIDDataset(VideoDetDataset):
    """ImageNet VID, or the stills of ImageNet DET that show its 30 classes."""

    METAINFO = dict(classes=tuple(IMAGENET_VID))
