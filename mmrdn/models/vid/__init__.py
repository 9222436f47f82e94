# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.vid.rdn import RDN
from mmrdn.models.vid.selsa import SELSA
from mmrdn.models.vid.temporal_rdn import TemporalRDN, TemporalWindow

__all__ = ['RDN', 'SELSA', 'TemporalRDN', 'TemporalWindow']
