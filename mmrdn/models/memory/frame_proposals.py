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
        stage_scores (Tensor, optional): (P, num_classes + 1), the sum of the class logits of a
            cascade's earlier stages, where there are some.
    """

    feats: Tensor
    boxes: Tensor
    scores: Tensor
    data_sample: TrackDataSample
    stage_scores: Tensor | None = None

    def __len__(self) -> int:
        return len(self.boxes)
