# Copyright (c) mmrdn contributors. All rights reserved.
from .frame_maps import FrameMaps
from .frame_proposals import FrameProposals
from .select_detections import select_detections
from .support_samples import support_samples

__all__ = [
    'FrameMaps', 'FrameProposals', 'select_detections', 'support_samples'
]
