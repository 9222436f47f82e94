# Copyright (c) mmrdn contributors. All rights reserved.
from .rdn import RDN
from .selsa import SELSA
from .temporal_rdn import TemporalRDN

__all__ = ['RDN', 'SELSA', 'TemporalRDN']
