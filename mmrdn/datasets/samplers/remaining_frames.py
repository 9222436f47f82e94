# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Callable, Iterator, Sized
from typing import Any

from torch.utils.data import Sampler

from mmrdn.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class RemainingFrames(Sampler):
    """Those indices of another sampler whose videos are not finished yet.

    Args:
        dataset (Sized): The data set.
        sampler (dict): The other sampler.
        is_finished (callable): Function that returns whether the video of an id is finished.
        seed (int, optional): Seed of the other sampler.
    """

    def __init__(
        self, dataset: Sized, sampler: dict, is_finished: Callable[[Any], bool], seed: int | None = None
    ) -> None:
        self.indices: list[int] = []
        self.finished: dict[Any, None] = {}  # videos of this rank, in order
        for index in DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed)):
            video_id = dataset.get_data_info(index).get('video_id')
            if video_id in self.finished or is_finished(video_id):
                self.finished[video_id] = None
            else:
                self.indices.append(index)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)
