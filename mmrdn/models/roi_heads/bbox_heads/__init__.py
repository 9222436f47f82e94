# Copyright (c) mmrdn contributors. All rights reserved.
from .rdn_bbox_head import RDNBBoxHead

__all__ = ['RDNBBoxHead']
