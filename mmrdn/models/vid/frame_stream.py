# Copyright (c) mmrdn contributors. All rights reserved.
"""From frames to results, later: paper Algorithm 1."""

from typing import TYPE_CHECKING

import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList
from torch import Tensor

from mmrdn.models.memory import FrameProposals

if TYPE_CHECKING:
    from mmrdn.models.vid.rdn import RDN


class FrameStream:
    """Videos one after the other: which frames wait, which are ready.

    Args:
        model (RDN): What extracts and detects. Not owned.
        lookahead_batch (int): Frames at the beginning of a video, where no result is due, that wait
            to pass the backbone together.
        lookahead (int, optional): Frames ahead that a frame waits for; the model's if not given.
    """

    def __init__(self, model: 'RDN', lookahead_batch: int = 1, lookahead: int | None = None) -> None:
        self.model = model
        self.lookahead_batch = lookahead_batch
        self.window = model.new_window(lookahead)
        self._video: tuple = (None, -1)  # id of the video, last frame's number
        # Batches of frames that wait for others: images and samples.
        self._held: list[tuple[Tensor, SampleList]] = []

    def reset(self) -> None:
        """Forget everything."""
        self._video, self._held = (None, -1), []
        if self.window is not None:
            self.window.reset()

    @torch.inference_mode()
    def push(self, imgs: Tensor, data_samples: SampleList, rescale: bool) -> SampleList:
        """Take frames, give the results that are ready, in frame order.

        Args:
            imgs (Tensor): (B, 3, H, W), preprocessed, B frames in order.
            data_samples (list[TrackDataSample]): Their meta information.
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            list[TrackDataSample]: 0 or more.
        """
        results = []
        if self._held and not self._fits(imgs, data_samples[0]):
            results += self._run_held(rescale)
        self._held.append((imgs, data_samples))
        num_held = sum(len(samples) for _, samples in self._held)
        if (
            self.window is None
            or num_held >= self.lookahead_batch
            or self.window.num_waiting + num_held > self.window.lookahead
            or _ends_video(data_samples[-1])
        ):
            results += self._run_held(rescale)
        return results

    def _fits(self, imgs: Tensor, data_sample: TrackDataSample) -> bool:
        """Whether frames may be in one batch with those that are held."""
        held, samples = self._held[-1]
        return imgs.shape[1:] == held.shape[1:] and _video_id(data_sample) == _video_id(samples[-1])

    def _run_held(self, rescale: bool) -> SampleList:
        """Process the frames that were held, in one batch."""
        if not self._held:
            return []
        imgs, batches = zip(*self._held)
        self._held = []
        frames = self.model.extract(torch.cat(imgs), [sample for batch in batches for sample in batch])
        return [result for frame in frames for result in self.advance(frame, rescale)]

    @torch.inference_mode()
    def advance(self, frame: FrameProposals, rescale: bool) -> SampleList:
        """Move the window on by one frame, which ``model.extract`` gave."""
        if self.window is None:
            return [self._detect(frame, rescale)]
        video_id = _video_id(frame.data_sample)
        frame_id = frame.data_sample.metainfo.get('frame_id', -1)
        results = []
        if video_id != self._video[0] or frame_id <= self._video[1]:
            results += self._flush_window(rescale)
        self._video = (video_id, frame_id)
        ready = self.window.push(frame)
        if ready is not None:
            results.append(self._detect(ready, rescale))
        if _ends_video(frame.data_sample):
            results += self._flush_window(rescale)
        return results

    @torch.inference_mode()
    def flush(self, rescale: bool) -> SampleList:
        """End the video: the results of the frames that still wait."""
        return self._run_held(rescale) + self._flush_window(rescale)

    def _flush_window(self, rescale: bool) -> SampleList:
        self._video = (None, -1)
        if self.window is None:
            return []
        return [self._detect(frame, rescale) for frame in self.window.flush()]

    def _detect(self, frame: FrameProposals, rescale: bool) -> TrackDataSample:
        """The result of a frame, in tensors that may be changed anywhere."""
        given = set(frame.data_sample.keys())
        data_sample = self.model.detect(frame, self.window, rescale)
        for name in set(data_sample.keys()) - given:
            instances = data_sample.get(name)
            with torch.inference_mode(False):
                copied = InstanceData(
                    metainfo=instances.metainfo, **{key: value.clone() for key, value in instances.items()}
                )
            data_sample.set_data({name: copied})
        return data_sample


def _video_id(data_sample: TrackDataSample) -> int | None:
    return data_sample.metainfo.get('video_id')


def _ends_video(data_sample: TrackDataSample) -> bool:
    """Whether a frame is the last of its video, as a still image is."""
    meta = data_sample.metainfo
    frame_id = meta.get('frame_id', -1)
    return frame_id < 0 or frame_id == meta.get('video_length', 0) - 1
