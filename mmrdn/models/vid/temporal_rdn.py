# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN with mmtrack's Temporal RoI Align (Gong et al., AAAI 2021).

RoI features of a frame are mixed with the most similar points of the feature maps of other frames.
What differs from mmtrack, where these are the very frames that SELSA relates the proposals to:

- In training a frame, key or support, sees the other frames of its sample. In mmtrack support
  frames see none.
- In testing a frame sees the last few that came before it in its video (``num_maps`` of the RoI
  head), whose maps are kept for that: each frame still passes the backbone once, and its features
  do not change any more when it supports others. In mmtrack a frame sees frames on both sides.
- A frame without others, the first of a video or a still image, sees itself.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList
from torch import Tensor

from mmrdn.models.memory import FrameProposals, SlidingWindow
from mmrdn.models.roi_heads import FrameMaps, TemporalRDNRoIHead
from mmrdn.models.vid.rdn import RDN
from mmrdn.registry import MODELS


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


class TemporalWindow(SlidingWindow):
    """Feature maps of the last frames of one video, besides its pool.

    Args:
        roi_head (TemporalRDNRoIHead): Head that extracts and sets how many frames are kept. Not owned.
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


@MODELS.register_module()
class TemporalRDN(RDN):
    """RDN whose RoI features see feature maps of other frames.

    Args: those of :class:`RDN`. The detector has a :class:`TemporalRDNRoIHead`, which sets how many
    frames are seen, and there is a neck.
    """

    def new_window(self, lookahead: int | None = None) -> TemporalWindow:
        """Make the state of one more video, its last feature maps included.

        Raises:
            ValueError: There is no neck or no such RoI head, or another window is asked for.
        """
        plain, head = super().new_window(lookahead), self.detector.roi_head
        if plain is None:
            raise ValueError('TemporalRDN needs a neck: a detector of single frames sees no others')
        if not isinstance(head, TemporalRDNRoIHead):
            raise ValueError(
                f"detector must have roi_head=dict(type='mmrdn.TemporalRDNRoIHead', ...), got a {type(head).__name__}"
            )
        if type(plain) is not SlidingWindow:
            raise ValueError(f'TemporalRDN has its own window, got window=dict(type={type(plain).__name__!r})')
        return TemporalWindow(head, plain.memory, plain.temporal_range, plain.lookahead)

    def extract(self, imgs: Tensor, data_samples: SampleList) -> list[UnextractedFrame]:
        """Return proposals and maps of B frames, see :meth:`RDN.extract`.

        Their RoI features are extracted when the window of their video takes them, which holds the
        maps that they see.
        """
        rpn_x, roi_x = self.feature_maps(imgs)
        return [
            UnextractedFrame(tuple(level[i : i + 1] for level in roi_x), proposals, data_samples[i])
            for i, proposals in enumerate(self.propose(rpn_x, data_samples))
        ]

    def seen_maps(self, x: tuple[Tensor], owners: Sequence[int]) -> list[Tensor]:
        """Return the maps of the other frames of each frame's sample, its own if there are none."""
        maps = self.detector.roi_head.compared_level(x)
        return [
            maps[[j for j, other in enumerate(owners) if other == owner and j != i] or [i]]
            for i, owner in enumerate(owners)
        ]
