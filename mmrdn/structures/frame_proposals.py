# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass

from mmtrack.structures import TrackDataSample
from torch import Tensor


@dataclass
class FrameProposals:
    """The proposals of one frame on their way through the detector.

    Attributes:
        feats (Tensor): (P, C) RoI features.
        boxes (Tensor): (P, 4) boxes, xyxy in pixels of the network's input.
        scores (Tensor): (P,) objectness.
        data_sample (TrackDataSample): The frame's meta information.
    """
    feats: Tensor
    boxes: Tensor
    scores: Tensor
    data_sample: TrackDataSample

    def __len__(self) -> int:
        return len(self.boxes)
