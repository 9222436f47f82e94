# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.ops.image_nms import image_nms
from mmrdn.ops.nms import nms
from mmrdn.ops.roi_align import roi_align

__all__ = ['image_nms', 'nms', 'roi_align']
