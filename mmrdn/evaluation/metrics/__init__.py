# Copyright (c) mmrdn contributors. All rights reserved.
from .evaluate_predictions import evaluate_predictions
from .link_predictions import link_predictions
from .vid_metric import VIDMetric

__all__ = ['VIDMetric', 'evaluate_predictions', 'link_predictions']
