# Copyright (c) mmrdn contributors. All rights reserved.
"""A sliding window whose RoI features see frames that came before."""

from collections import deque
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mmrdn.models.memory.frame_maps import FrameMaps
from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.sliding_window import SlidingWindow

if TYPE_CHECKING:
    from mmrdn.models.roi_heads import TemporalRDNRoIHead


class TemporalWindow(SlidingWindow):
    """Feature maps of the last frames of one video, besides its pool.

    Args:
        roi_head (TemporalRDNRoIHead): What extracts, and knows how many frames are kept. Not owned.
        *args: Of :class:`SlidingWindow`, as ``**kwargs``.
    """

    def __init__(self, roi_head: 'TemporalRDNRoIHead', *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.roi_head = roi_head
        # (1, c, h, w) of each frame.
        self._maps: deque[Tensor] = deque(maxlen=roi_head.num_maps)

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self._maps.clear()

    def push(self, frame: FrameMaps) -> FrameProposals | None:
        """Extract the next frame of the video and take it.

        It sees the last frames of its size that came before it; itself if there are none.

        Returns:
            FrameProposals or None: The frame whose look-ahead is complete now.
        """
        own = self.roi_head.compared_level(frame.maps)
        seen = [maps for maps in self._maps if maps.shape == own.shape]
        with self.roi_head.seeing([torch.cat(seen or [own])]):
            (extracted,) = self.roi_head.frames(frame.maps, [frame.proposals], [frame.data_sample])
        self._maps.append(own)
        return super().push(extracted)
