# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.functional.confusion_matrix import confusion_matrix
from mmrdn.evaluation.functional.flicker import flicker
from mmrdn.evaluation.functional.motion_iou import knows_motion, motion_iou, with_motion_ious
from mmrdn.evaluation.functional.precision_recall import PrecisionRecall, precision_recall
from mmrdn.evaluation.functional.vid_map import vid_map

__all__ = [
    'PrecisionRecall',
    'confusion_matrix',
    'flicker',
    'knows_motion',
    'motion_iou',
    'precision_recall',
    'vid_map',
    'with_motion_ious',
]
