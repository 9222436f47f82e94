# Copyright (c) mmrdn contributors. All rights reserved.
"""Track ids while a video runs: ByteTrack (https://arxiv.org/abs/2110.06864), as mmtrack has it.

Deviations from mmtrack's class: tracks move on in frames without boxes too, a track keeps only the
boxes that are still in use, and one threshold both begins tracks and selects boxes for the first
matching.
"""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

import torch
from mmengine.structures import InstanceData
from mmtrack.models.motion import KalmanFilter
from mmtrack.models.trackers import ByteTracker as MMTrackByteTracker
from mmtrack.structures import TrackDataSample
from torch import Tensor

from mmrdn.registry import TASK_UTILS
from mmrdn.utils.checks import check_num_frames


@TASK_UTILS.register_module()
class ByteTracker:
    """Number the tracks of a video as its frames come, class by class.

    Each frame is matched with the tracks so far by the IoU of its boxes with the predictions of a
    Kalman filter: boxes of high scores first, then those of low scores, which may extend a
    track of the previous frame but not begin one. No box is changed or left out.

    Args:
        obj_score_thrs (dict): ``high``: score above which a box begins a track and takes part in
            the first matching; ``low``: score above which it takes part in the second one.
        weight_iou_with_det_scores (bool): Whether IoU times score counts in the matchings of boxes
            of high scores.
        match_iou_thrs (dict): IoU that a match needs: ``high`` and ``low`` of these matchings,
            ``tentative`` of boxes of high scores with tracks that are not confirmed.
        num_tentatives (int): Boxes in consecutive frames, 2 or more, that confirm a track; one that is not
            confirmed ends with the first frame without a box of it. Those that begin in the first
            frame are confirmed.
        num_frames_retain (int): Frames from the last box of a confirmed track to its end: it goes
            on after gaps of fewer frames.

    Raises:
        ValueError: A threshold is missing or impossible.
    """

    def __init__(
        self,
        obj_score_thrs: Mapping[str, float] = MappingProxyType(dict(high=0.3, low=0.1)),
        weight_iou_with_det_scores: bool = True,
        match_iou_thrs: Mapping[str, float] = MappingProxyType(dict(high=0.1, low=0.5, tentative=0.3)),
        num_tentatives: int = 3,
        num_frames_retain: int = 30,
    ) -> None:
        _check_thresholds('obj_score_thrs', obj_score_thrs, ('low', 'high'))
        _check_thresholds('match_iou_thrs', match_iou_thrs, ('high', 'low', 'tentative'))
        if obj_score_thrs['low'] > obj_score_thrs['high']:
            raise ValueError(f"obj_score_thrs: 'low' must not be above 'high', got {dict(obj_score_thrs)}")
        # A track of one box is never confirmed.
        for name, value, low in (('num_tentatives', num_tentatives, 2), ('num_frames_retain', num_frames_retain, 1)):
            check_num_frames(name, value, low)
        self._tracker = MMTrackByteTracker(
            obj_score_thrs=dict(obj_score_thrs),
            init_track_thr=obj_score_thrs['high'],
            weight_iou_with_det_scores=weight_iou_with_det_scores,
            match_iou_thrs=dict(match_iou_thrs),
            num_tentatives=num_tentatives,
            num_frames_retain=num_frames_retain,
        )
        self._tracker.kf = KalmanFilter()
        self.reset()

    def reset(self) -> None:
        """Begin a new video, whose tracks are numbered from 1 again."""
        self._tracker.reset()
        self._num_frames = 0

    def add_ids(self, data_sample: TrackDataSample) -> None:
        """Take the next frame, and write the tracks of its boxes into it.

        Args:
            data_sample (TrackDataSample): Frame with n boxes, in ``pred_det_instances``, which gets
                ``instances_id`` (n,): tracks from 1, in the order in which they begin; -1 for boxes
                without one: of low scores, or without width or height.
        """
        found = data_sample.pred_det_instances
        boxes = getattr(found.bboxes, 'tensor', found.bboxes)  # of mmdet's box types
        columns = (boxes, found.scores[:, None], found.labels[:, None])
        rows = torch.cat([column.detach().cpu().double() for column in columns], dim=1)  # (n, 6)
        found.instances_id = self._track(rows).to(found.labels.device)

    def _track(self, rows: Tensor) -> Tensor:
        """Return the track of each box (n,) of the next frame, given as box, score and label (n, 6)."""
        usable = rows.isfinite().all(dim=1) & (rows[:, 2:4] > rows[:, :2]).all(dim=1)  # it divides by the height
        # A box of score 0 matches nothing, but without any box the tracks would stand still.
        given = torch.cat([rows[usable], rows.new_tensor([[0, 0, 1, 1, 0, 0]])])
        frame = TrackDataSample(metainfo=dict(frame_id=self._num_frames))
        frame.pred_det_instances = InstanceData(bboxes=given[:, :4], scores=given[:, 4], labels=given[:, 5].long())
        tracked = self._tracker.track(None, None, None, frame)
        self._num_frames += 1
        self._forget()

        # It gives some of the boxes, in another order.
        indices = defaultdict(list)
        for i, row in enumerate(rows.tolist()):
            indices[tuple(row)].append(i)
        track_ids = torch.full((len(rows),), -1)
        columns = (tracked.bboxes, tracked.scores[:, None], tracked.labels[:, None])
        for row, track_id in zip(torch.cat(columns, dim=1).tolist(), tracked.instances_id.tolist()):
            track_ids[indices[tuple(row)].pop(0)] = track_id + 1
        return track_ids

    def _forget(self) -> None:
        """Drop the boxes of tracks that nothing looks at any more: cameras run for days."""
        for track in self._tracker.tracks.values():
            for name in self._tracker.memo_items:
                del track[name][: -self._tracker.num_tentatives]


def _check_thresholds(name: str, thresholds: Mapping[str, float], keys: tuple[str, ...]) -> None:
    """Refuse anything but these thresholds, in [0, 1] each."""
    if set(thresholds) != set(keys) or not all(0 <= value <= 1 for value in thresholds.values()):
        raise ValueError(f'{name} must be {", ".join(keys)} in [0, 1], got {dict(thresholds)}')
