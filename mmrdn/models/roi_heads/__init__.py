# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.roi_heads.bbox_heads import InputScaleBBoxHead, RDNBBoxHead
from mmrdn.models.roi_heads.rdn_cascade_roi_head import RDNCascadeRoIHead
from mmrdn.models.roi_heads.rdn_roi_head import FrameMaps, RDNRoIHead
from mmrdn.models.roi_heads.temporal_rdn_roi_head import TemporalRDNRoIHead

__all__ = ['FrameMaps', 'InputScaleBBoxHead', 'RDNBBoxHead', 'RDNCascadeRoIHead', 'RDNRoIHead', 'TemporalRDNRoIHead']
