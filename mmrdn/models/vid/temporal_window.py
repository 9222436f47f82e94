# Copyright (c) mmrdn contributors. All rights reserved.
"""A sliding window whose RoI features see frames that came before."""

from collections import deque
from dataclasses import dataclass

import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from torch import Tensor

from mmrdn.models.memory import FrameProposals, SlidingWindow
from mmrdn.models.roi_heads import FrameMaps, TemporalRDNRoIHead


@dataclass
class UnextractedFrame:
    """A frame whose RoI features are extracted when its window admits it.

    Attributes:
        maps (tuple[Tensor]): Feature maps of the frame, each (1, c, h, w).
        proposals (InstanceData): ``bboxes`` (P, 4), xyxy in pixels of the network's input, and
            ``scores`` (P,), objectness.
        data_sample (TrackDataSample): Sample with the frame's meta information.
    """

    maps: tuple[Tensor]
    proposals: InstanceData
    data_sample: TrackDataSample

    def __len__(self) -> int:
        return len(self.proposals)


class TemporalWindow(SlidingWindow):
    """Feature maps of the last frames of one video, besides its pool.

    Args:
        roi_head (TemporalRDNRoIHead): Head that extracts, and knows how many frames are kept. Not
            owned.
        *args: Arguments of :class:`SlidingWindow`, as ``**kwargs``.
    """

    def __init__(self, roi_head: TemporalRDNRoIHead, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.roi_head = roi_head
        # (1, c, h, w) of each frame.
        self._maps: deque[Tensor] = deque(maxlen=roi_head.num_maps)

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self._maps.clear()

    def admit(self, frame: UnextractedFrame) -> FrameProposals | None:
        """Extract the next frame of the video and take it.

        It sees the last frames of its size that came before it; itself if there are none.

        Returns:
            FrameProposals or None: The frame whose look-ahead is complete now.
        """
        own = self.roi_head.compared_level(frame.maps)
        earlier = [maps for maps in self._maps if maps.shape == own.shape]
        x = FrameMaps(frame.maps, seen=[torch.cat(earlier or [own])])
        (extracted,) = self.roi_head.frames(x, [frame.proposals], [frame.data_sample])
        self._maps.append(own)
        return super().admit(extracted)
