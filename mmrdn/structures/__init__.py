# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.structures.frame_maps import FrameMaps
from mmrdn.structures.frame_proposals import FrameProposals
from mmrdn.structures.select_detections import select_detections
from mmrdn.structures.support_samples import support_samples

__all__ = ['FrameMaps', 'FrameProposals', 'select_detections', 'support_samples']
