# Copyright (c) mmrdn contributors. All rights reserved.
from .narrow_flownet import NarrowFlowNet

__all__ = ['NarrowFlowNet']
