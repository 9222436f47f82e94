# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.roi_heads.bbox_heads.input_scale_bbox_head import InputScaleBBoxHead
from mmrdn.models.roi_heads.bbox_heads.rdn_bbox_head import RDNBBoxHead

__all__ = ['InputScaleBBoxHead', 'RDNBBoxHead']
