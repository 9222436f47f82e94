# Copyright (c) mmrdn contributors. All rights reserved.
from .frame_proposals import FrameProposals
from .support_samples import support_samples

__all__ = ['FrameProposals', 'support_samples']
