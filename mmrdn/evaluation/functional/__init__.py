# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.functional.flicker import flicker
from mmrdn.evaluation.functional.motion_iou import knows_motion, motion_iou, with_motion_ious
from mmrdn.evaluation.functional.vid_map import vid_map

__all__ = ['flicker', 'knows_motion', 'motion_iou', 'vid_map', 'with_motion_ious']
