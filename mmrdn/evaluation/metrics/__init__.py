# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.metrics.evaluate_predictions import evaluate_predictions
from mmrdn.evaluation.metrics.link_predictions import link_predictions
from mmrdn.evaluation.metrics.vid_metric import VIDMetric

__all__ = ['VIDMetric', 'evaluate_predictions', 'link_predictions']
