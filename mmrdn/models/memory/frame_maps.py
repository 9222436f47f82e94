# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass

from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from torch import Tensor


@dataclass
class FrameMaps:
    """A frame whose RoI features have to wait for its place in a video.

    Attributes:
        maps (tuple[Tensor]): Feature maps of the frame, each (1, c, h, w).
        proposals (InstanceData): ``bboxes`` (P, 4), xyxy in pixels of the network's input, and
            ``scores`` (P,), objectness.
        data_sample (TrackDataSample): The frame's meta information.
    """

    maps: tuple[Tensor]
    proposals: InstanceData
    data_sample: TrackDataSample

    def __len__(self) -> int:
        return len(self.proposals)
