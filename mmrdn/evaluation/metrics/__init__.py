# Copyright (c) mmrdn contributors. All rights reserved.
from .vid_metric import VIDMetric, evaluate_predictions

__all__ = ['VIDMetric', 'evaluate_predictions']
