# Copyright (c) mmrdn contributors. All rights reserved.
from .functional import motion_iou, vid_map
from .metrics import VIDMetric

__all__ = ['VIDMetric', 'motion_iou', 'vid_map']
