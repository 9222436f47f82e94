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

from collections.abc import Sequence

from mmtrack.utils import SampleList
from torch import Tensor

from mmrdn.models.memory import SlidingWindow
from mmrdn.models.roi_heads import TemporalRDNRoIHead
from mmrdn.models.vid.rdn import RDN
from mmrdn.models.vid.temporal_window import TemporalWindow, UnextractedFrame
from mmrdn.registry import MODELS


@MODELS.register_module()
class TemporalRDN(RDN):
    """RDN whose RoI features see feature maps of other frames.

    Args: those of :class:`RDN`. The detector has a
    :class:`TemporalRDNRoIHead`, which says how many frames are seen, and
    there is a neck.
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
            raise ValueError(f'TemporalRDN brings a window of its own, got window=dict(type={type(plain).__name__!r})')
        return TemporalWindow(head, plain.memory, plain.temporal_range, plain.lookahead)

    def extract(self, imgs: Tensor, data_samples: SampleList) -> list[UnextractedFrame]:
        """Return proposals and maps of frames, of one video or of several.

        Their RoI features are extracted when the window of their video takes them, which holds the
        maps that they see.

        Args:
            imgs (Tensor): (B, 3, H, W), preprocessed.
            data_samples (list[TrackDataSample]): B samples.

        Returns:
            list[UnextractedFrame]: B of them.
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
