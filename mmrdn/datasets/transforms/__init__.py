# Copyright (c) mmrdn contributors. All rights reserved.
from .loading import LoadFrame

__all__ = ['LoadFrame']
