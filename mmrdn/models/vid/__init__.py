# Copyright (c) mmrdn contributors. All rights reserved.
from .rdn import RDN

__all__ = ['RDN']
