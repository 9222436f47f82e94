# Copyright (c) mmrdn contributors. All rights reserved.
import torch
from mmtrack.structures import TrackDataSample
from torch import Tensor


def select_detections(data_sample: TrackDataSample, keep: Tensor) -> TrackDataSample:
    """A data sample with some of its detections.

    Args:
        data_sample (TrackDataSample): With ``pred_det_instances`` of n detections and, perhaps,
            ``top_supports``.
        keep (Tensor): (n,) bool.

    Returns:
        TrackDataSample: A new one with these two alone.
    """
    selected = TrackDataSample(metainfo=data_sample.metainfo)
    selected.pred_det_instances = data_sample.pred_det_instances[keep]
    if 'top_supports' in data_sample:
        supports = data_sample.top_supports
        inds = supports.detection_inds
        places = torch.cumsum(keep, 0) - 1  # (n,) among those kept
        selected.top_supports = supports[keep[inds]]
        selected.top_supports.detection_inds = places[inds[keep[inds]]]
    return selected
