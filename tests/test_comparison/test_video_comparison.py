# Copyright (c) mmrdn contributors. All rights reserved.
import warnings

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from mmrdn.comparison.video_comparison import compare_on_video


class Finds:
    """A detector, and its stream, that finds one box of a given score in each frame, or none."""

    classes = ('cat',)

    def __init__(self, *scores):
        self.scores = iter(scores)

    def open_stream(self):
        return self

    def begin(self, source):
        pass

    def prepare(self, image):
        return dict()

    def feed(self, prepared):
        scores = torch.tensor([score for score in [next(self.scores)] if score is not None])
        found = InstanceData(
            bboxes=torch.tensor([[1.0, 1, 9, 9]]).expand(len(scores), 4), scores=scores, labels=torch.zeros(len(scores))
        )
        sample = TrackDataSample(metainfo=dict(frame_id=0, img_path='', ori_shape=(32, 32)))
        sample.pred_det_instances = found
        return [sample]

    def flush(self):
        return []


def test_each_panel_without_detections_is_reported(tmp_path):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.zeros((32, 32, 3), np.uint8))
    detectors = dict(
        weak=lambda: Finds(0.1, 0.25, 0.2), fine=lambda: Finds(0.1, 0.9, 0.1), silent=lambda: Finds(None, None, None)
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert compare_on_video(tmp_path, tmp_path / 'side.mp4', detectors, score_thr=0.3) == 3
    assert [str(w.message) for w in caught if 'detection' in str(w.message)] == [
        f'{tmp_path}, weak: 0 detections above 0.3, highest 0.25',
        f'{tmp_path}, silent: 0 detections above 0.3, no detection at all',
    ]
