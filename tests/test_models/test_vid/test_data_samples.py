# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from mmrdn.models.vid.data_samples import to_frame_detections


def make_sample():
    info = dict(img_id=9, video_id=2, frame_id=4, ori_shape=(30, 40), img_path='a/b.jpg')
    sample = TrackDataSample(metainfo=info)
    sample.pred_det_instances = InstanceData(
        bboxes=torch.arange(8.0).reshape(2, 4).bfloat16(),
        scores=torch.tensor([0.5, 0.25]),
        labels=torch.tensor([1, 0]),
        instances_id=torch.tensor([3, -1]),
        support_inds=torch.tensor([-1, 2]),
    )
    sample.link_relations = InstanceData(
        metainfo=dict(next_frame_id=5), detection_inds=torch.tensor([1]), weights=torch.ones(1, 3)
    )
    sample.top_supports = InstanceData(
        detection_inds=torch.tensor([0]),
        frame_offsets=torch.tensor([[-1, 1]]),
        bboxes=torch.zeros(1, 2, 4),
        weights=torch.tensor([[0.75, 0.25]]),
    )
    return sample


@pytest.mark.parametrize('as_dict', [False, True])
def test_all_fields_arrive(as_dict):
    """Also from the dict that MMEngine's evaluator makes of a sample."""
    sample = make_sample()
    found = to_frame_detections(sample.to_dict() if as_dict else sample)
    assert (found.img_id, found.video_id, found.frame_id, found.file_name) == (9, 2, 4, 'a/b.jpg')
    assert (found.width, found.height) == (40, 30)
    np.testing.assert_array_equal(found.bboxes, np.arange(8).reshape(2, 4))
    assert list(found)[1] == ([4, 5, 6, 7], 0.25, 0, None)
    assert found.track_ids.tolist() == [3, -1]
    assert found.next_weights.support_inds.tolist() == [-1, 2]
    assert found.next_weights.detection_inds.tolist() == [1]
    assert found.next_weights.weights.shape == (1, 3) and found.next_weights.next_frame_id == 5
    assert found.top_supports.frame_offsets.tolist() == [[-1, 1]]
    assert found.top_supports.weights.tolist() == [[0.75, 0.25]]


def test_a_bad_sample_is_named():
    sample = make_sample()
    sample.pred_det_instances.scores[1] = torch.nan
    with pytest.raises(ValueError, match='video 2, frame 4, img_id 9: scores must be finite, got nan'):
        to_frame_detections(sample)
    with pytest.raises(ValueError, match="field 'pred_det_instances'"):
        to_frame_detections(TrackDataSample())
