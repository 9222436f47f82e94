# Copyright (c) mmrdn contributors. All rights reserved.
from .input_scale_bbox_head import InputScaleBBoxHead
from .rdn_bbox_head import RDNBBoxHead

__all__ = ['InputScaleBBoxHead', 'RDNBBoxHead']
