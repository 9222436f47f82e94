# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.functional.motion_iou import add_motion_ious, motion_iou
from mmrdn.evaluation.functional.vid_map import vid_map

__all__ = ['add_motion_ious', 'motion_iou', 'vid_map']
