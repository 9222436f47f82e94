# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

import torch
from mmtrack.structures import TrackDataSample

from mmrdn.post_processing.base_box_linker import BaseBoxLinker
from mmrdn.post_processing.video_linker import VideoLinker
from mmrdn.utils.arrays import to_numpy


class SampleLinker:
    """Results of one video as they come, linked at its end.

    Of ``pred_det_instances`` the ``scores`` are replaced and ``instances_id`` (n,) is added: the
    tube, -1 for none. Noted relations are taken out.

    Args:
        linker (BaseBoxLinker): How.
    """

    def __init__(self, linker: BaseBoxLinker) -> None:
        self._video = VideoLinker(linker)
        self._samples: list[TrackDataSample] = []
        self._frames: list[dict] = []

    def push(self, sample: TrackDataSample) -> None:
        """Take the next result."""
        found = sample.pred_det_instances
        frame_id = sample.metainfo.get('frame_id', len(self._samples))
        frame = dict(video_id=0, frame_id=frame_id)
        for name in ('bboxes', 'scores', 'labels', 'support_inds'):
            if name in found:
                frame[name] = to_numpy(found[name])
        if 'link_relations' in sample:
            frame['link_relations'] = sample.pop('link_relations')
        self._samples.append(sample)
        self._frames.append(frame)
        self._video.push(frame)

    def finish(self) -> list[TrackDataSample]:
        """Link what came, and give it back."""
        self._video.finish()
        samples, self._samples = self._samples, []
        frames, self._frames = self._frames, []
        for sample, frame in zip(samples, frames):
            found = sample.pred_det_instances
            found.scores = found.scores.new_tensor(frame['scores'])
            found.instances_id = torch.from_numpy(frame['instance_ids']).to(found.scores.device)
        return samples


def link_video(linker: BaseBoxLinker, samples: Sequence[TrackDataSample]) -> None:
    """Link the detections of a video in place.

    Args:
        linker (BaseBoxLinker): How.
        samples (Sequence[TrackDataSample]): The results of all its frames in order; changed as
            :class:`SampleLinker` says.
    """
    video = SampleLinker(linker)
    for sample in samples:
        video.push(sample)
    video.finish()
