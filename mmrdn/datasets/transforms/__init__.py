# Copyright (c) mmrdn contributors. All rights reserved.
from .loading import LoadFrame
from .shorter_side_resize import ShorterSideResize

__all__ = ['LoadFrame', 'ShorterSideResize']
