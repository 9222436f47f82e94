# Copyright (c) mmrdn contributors. All rights reserved.
from .bbox_heads import InputScaleBBoxHead, RDNBBoxHead
from .rdn_cascade_roi_head import RDNCascadeRoIHead
from .rdn_roi_head import RDNRoIHead
from .temporal_rdn_roi_head import TemporalRDNRoIHead

__all__ = [
    'InputScaleBBoxHead', 'RDNBBoxHead', 'RDNCascadeRoIHead', 'RDNRoIHead',
    'TemporalRDNRoIHead'
]
