# Copyright (c) mmrdn contributors. All rights reserved.
import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from mmrdn.structures import select_detections


def test_supports_follow_their_detections():
    sample = TrackDataSample(metainfo=dict(frame_id=4))
    sample.pred_det_instances = InstanceData(scores=torch.arange(5) / 10, labels=torch.arange(5))
    sample.top_supports = InstanceData(
        detection_inds=torch.tensor([0, 3, 4]), weights=torch.tensor([[0.0], [0.3], [0.4]])
    )
    keep = torch.tensor([False, True, False, True, True])
    selected = select_detections(sample, keep)
    assert selected.frame_id == 4
    assert selected.pred_det_instances.labels.tolist() == [1, 3, 4]
    # By hand: 3 and 4 are now 1 and 2, 0 is gone.
    assert selected.top_supports.detection_inds.tolist() == [1, 2]
    assert selected.top_supports.weights.flatten().tolist() == torch.tensor([0.3, 0.4]).tolist()
    # The given one is as it was.
    assert len(sample.pred_det_instances) == 5
    assert sample.top_supports.detection_inds.tolist() == [0, 3, 4]


def test_none_kept():
    sample = TrackDataSample()
    sample.pred_det_instances = InstanceData(scores=torch.ones(2))
    selected = select_detections(sample, torch.zeros(2, dtype=torch.bool))
    assert len(selected.pred_det_instances) == 0
    assert 'top_supports' not in selected
