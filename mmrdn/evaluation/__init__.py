# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.functional import confusion_matrix, flicker, motion_iou, precision_recall, vid_map
from mmrdn.evaluation.linkers import build_linker
from mmrdn.evaluation.metrics import VIDMetric
from mmrdn.evaluation.prediction_files import evaluate_predictions, link_predictions, measure_flicker

__all__ = [
    'VIDMetric',
    'build_linker',
    'confusion_matrix',
    'evaluate_predictions',
    'flicker',
    'link_predictions',
    'measure_flicker',
    'motion_iou',
    'precision_recall',
    'vid_map',
]
