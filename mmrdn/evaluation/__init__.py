# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.functional import motion_iou, vid_map
from mmrdn.evaluation.metrics import VIDMetric

__all__ = ['VIDMetric', 'motion_iou', 'vid_map']
