# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.transforms.loading import LoadFrame
from mmrdn.datasets.transforms.shorter_side_resize import ShorterSideResize

__all__ = ['LoadFrame', 'ShorterSideResize']
