# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.motion.narrow_flownet import NarrowFlowNet

__all__ = ['NarrowFlowNet']
