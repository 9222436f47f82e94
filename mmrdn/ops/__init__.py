# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.ops.nms import nms
from mmrdn.ops.roi_align import roi_align

__all__ = ['nms', 'roi_align']
