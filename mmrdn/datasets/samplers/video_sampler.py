# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sized

import numpy as np
from mmengine.dist import get_dist_info
from mmtrack.datasets import VideoSampler as _VideoSampler

from mmrdn.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class VideoSampler(_VideoSampler):
    """mmtrack's sampler, which keeps a video on one process; of stills and wrapped data sets too.

    Args:
        dataset (Sized): A data set for testing, such as a ``VideoDetDataset`` or a ``ConcatDataset``
            of several. An image without ``frame_id`` is a video.
        seed (int, optional): Not read, nothing is random.

    Raises:
        ValueError: The data set is not for testing, or has fewer videos than there are processes.
    """

    def __init__(self, dataset: Sized, seed: int | None = None) -> None:
        name = type(dataset).__name__
        if not hasattr(dataset, 'test_mode') and (hasattr(dataset, 'dataset') or hasattr(dataset, 'datasets')):
            raise ValueError(f'VideoSampler takes no {name}, which is for training: leave out the wrapper in testing')
        if not getattr(dataset, 'test_mode', False):
            raise ValueError(f'VideoSampler needs a data set with test_mode=True, got a {name} without')
        if not hasattr(dataset, 'get_data_info'):
            raise ValueError(f'VideoSampler needs a data set of videos, got a {name}, which has no get_data_info')
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        starts = [i for i in range(len(dataset)) if dataset.get_data_info(i).get('frame_id', 0) == 0]
        self.num_videos = len(starts)
        if self.num_videos < self.world_size:
            raise ValueError(f'{self.num_videos} videos are too few for {self.world_size} processes')
        firsts = [chunk[0] for chunk in np.array_split(starts, self.world_size)]
        self.indices = [list(range(first, end)) for first, end in zip(firsts, [*firsts[1:], len(dataset)])]
