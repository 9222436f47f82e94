# Copyright (c) mmrdn contributors. All rights reserved.
from .motion_iou import add_motion_ious, motion_iou
from .vid_map import vid_map

__all__ = ['add_motion_ious', 'motion_iou', 'vid_map']
