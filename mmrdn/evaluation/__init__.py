# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.functional import flicker, motion_iou, vid_map
from mmrdn.evaluation.linkers import build_linker
from mmrdn.evaluation.metrics import VIDMetric
from mmrdn.evaluation.prediction_files import evaluate_predictions, link_predictions, measure_flicker

__all__ = [
    'VIDMetric',
    'build_linker',
    'evaluate_predictions',
    'flicker',
    'link_predictions',
    'measure_flicker',
    'motion_iou',
    'vid_map',
]
