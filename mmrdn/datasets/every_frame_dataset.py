# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np

from mmrdn.datasets.video_det_dataset import VideoDetDataset
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class EveryFrameDataset(VideoDetDataset):
    """Video data set that trains on every annotated frame.

    Files for validation, such as that of ImageNet VID, mark no frame for training
    (``is_vid_train_frame``); a validation loss is measured on their frames all the same.
    """

    def trains_on(self) -> np.ndarray:
        """Return whether an image counts, (n,) bool: each does."""
        return np.ones(len(self.file), bool)
