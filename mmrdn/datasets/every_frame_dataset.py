# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class EveryFrameDataset(VideoDetDataset):
    """Video data set that trains on every annotated frame.

    Files for validation, such as that of ImageNet VID, mark no frame for training
    (``is_vid_train_frame``); a validation loss is measured on their frames all the same.
    """

    @staticmethod
    def trains_on(image: dict) -> bool:
        """Whether a training may have an image of the file as its key image."""
        return True
