# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.evaluation.metrics.vid_metric import VIDMetric

__all__ = ['VIDMetric']
