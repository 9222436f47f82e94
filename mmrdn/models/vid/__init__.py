# Copyright (c) mmrdn contributors. All rights reserved.
from .rdn import RDN
from .temporal_rdn import TemporalRDN

__all__ = ['RDN', 'TemporalRDN']
