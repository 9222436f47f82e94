# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.evaluate_predictions import evaluate_predictions
from mmrdn.evaluation.functional import motion_iou, vid_map
from mmrdn.evaluation.link_predictions import link_predictions
from mmrdn.evaluation.linkers import build_linker
from mmrdn.evaluation.metrics import VIDMetric

__all__ = ['VIDMetric', 'build_linker', 'evaluate_predictions', 'link_predictions', 'motion_iou', 'vid_map']
