# Copyright (c) mmrdn contributors. All rights reserved.
"""A video through a detector whose results are delayed: paper Algorithm 1."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
import torch.nn as nn
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList
from torch import Tensor

from mmrdn.models.memory import FrameProposals, Recorder
from mmrdn.models.task_modules import ByteTracker


class VideoStream:
    """A video on its way through a detector, frame by frame; the next video may follow.

    Frames come as images (:meth:`prepare`, :meth:`feed`), as batches of the network's input
    (:meth:`feed_batch`) or after backbone and RPN (:meth:`advance`).

    Args:
        model (RDN): Detector that extracts and detects. Not owned.
        lookahead (int, optional): Number of frames ahead that a frame waits for; the model's if not
            given.
        recorders (Sequence[Recorder]): Recorders of this stream beside those of the model.
        pipeline (callable, optional): Test pipeline of :meth:`prepare`, a ``FramePipeline``.
        precision (callable): Function that makes the context of the model's computations.
        name (str): Name of the video in messages.
        tracker (ByteTracker, optional): Tracker of this stream, which gives boxes their tracks.
    """

    def __init__(
        self,
        model: nn.Module,
        lookahead: int | None = None,
        recorders: Sequence[Recorder] = (),
        pipeline: Callable[[np.ndarray, int, str], dict] | None = None,
        precision: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
        name: str = '',
        tracker: ByteTracker | None = None,
    ) -> None:
        self.model = model
        self.window = model.new_window(lookahead)
        self.recorders = tuple(recorders)
        self.tracker = tracker
        self._pipeline = pipeline
        self._precision = precision
        self._prefix = f'{name}, ' if name else ''
        self._num_prepared = 0
        self._video: tuple = (None, -1)  # id of the video, number of the last frame
        # Batches of frames that wait for others: images and samples.
        self._held: list[tuple[Tensor, SampleList]] = []

    @property
    def lookahead(self) -> int:
        """int: Frames ahead that a frame waits for; 0 for a single-frame detector."""
        return 0 if self.window is None else self.window.lookahead

    def reset(self) -> None:
        """Forget everything."""
        self._num_prepared, self._video, self._held = 0, (None, -1), []
        if self.window is not None:
            self.window.reset()
        if self.tracker is not None:
            self.tracker.reset()

    def begin(self, source: Iterable) -> None:
        """Do nothing: this stream does not read a video beforehand."""

    # --------------------------------------------------------------- images

    def prepare(self, image: np.ndarray) -> dict:
        """Preprocess the next frame; may run in another thread.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.

        Returns:
            dict: ``inputs`` and ``data_samples``, as :meth:`feed` takes them.
        """
        frame_id = self._num_prepared
        self._num_prepared += 1
        return self._pipeline(image, frame_id, f'{self._prefix}frame {frame_id}')

    def to_batch(self, prepared: dict) -> tuple[Tensor, SampleList]:
        """Collate, normalize and pad a frame of :meth:`prepare`.

        Returns:
            tuple[Tensor, list[TrackDataSample]]: (1, 3, H', W') on the
            device of the model, and its data sample.
        """
        data = self.model.data_preprocessor(pseudo_collate([prepared]), False)
        return data['inputs']['img'].flatten(0, 1), data['data_samples']

    def feed(self, prepared: dict) -> SampleList:
        """Take a frame of :meth:`prepare`; return the results that are ready."""
        return self.feed_batch(*self.to_batch(prepared))

    # -------------------------------------------------------------- batches

    def feed_batch(self, imgs: Tensor, data_samples: SampleList, rescale: bool = True) -> SampleList:
        """Take frames; return the results that are ready, in frame order.

        Args:
            imgs (Tensor): (B, 3, H, W), preprocessed, B frames in order.
            data_samples (list[TrackDataSample]): B samples with meta information.
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
            or num_held >= self.model.lookahead_batch
            or self.window.num_waiting + num_held > self.window.lookahead
            or _ends_video(data_samples[-1])
        ):
            results += self._run_held(rescale)
        return results

    def advance(self, frame: FrameProposals, rescale: bool = True) -> SampleList:
        """Take a frame of ``model.extract``; return the results that are ready.

        Several streams advance side by side: their frames pass backbone and RPN in one batch.

        Args:
            frame (FrameProposals): The next frame.
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            list[TrackDataSample]: 0 or more, in frame order.
        """
        with self._computing():
            if self.window is None:
                return [self._detect(frame, rescale)]
            video_id = _video_id(frame.data_sample)
            frame_id = frame.data_sample.metainfo.get('frame_id', -1)
            results = []
            if video_id != self._video[0] or frame_id <= self._video[1]:
                results += self._flush_window(rescale)
            self._video = (video_id, frame_id)
            ready = self.window.admit(frame)
            if ready is not None:
                results.append(self._detect(ready, rescale))
            if _ends_video(frame.data_sample):
                results += self._flush_window(rescale)
            return results

    def flush(self, rescale: bool = True) -> SampleList:
        """End the video; return the results of the frames that still wait."""
        with self._computing():
            return self._run_held(rescale) + self._flush_window(rescale)

    # ---------------------------------------------------------------- parts

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """Enter the context of the model's computations, without gradients."""
        with torch.inference_mode(), self._precision():
            yield

    def _fits(self, imgs: Tensor, data_sample: TrackDataSample) -> bool:
        """Return whether frames may be in one batch with those that are held."""
        held, samples = self._held[-1]
        return imgs.shape[1:] == held.shape[1:] and _video_id(data_sample) == _video_id(samples[-1])

    def _run_held(self, rescale: bool) -> SampleList:
        """Process the frames that were held, in one batch."""
        if not self._held:
            return []
        imgs, batches = zip(*self._held)
        self._held = []
        with self._computing():
            frames = self.model.extract(torch.cat(imgs), [sample for batch in batches for sample in batch])
        return [result for frame in frames for result in self.advance(frame, rescale)]

    def _flush_window(self, rescale: bool) -> SampleList:
        """Return the results of the frames that wait in the window."""
        self._video = (None, -1)
        waiting = () if self.window is None else self.window.flush()
        results = [self._detect(frame, rescale) for frame in waiting]
        if self.tracker is not None:
            self.tracker.reset()
        return results

    def _detect(self, frame: FrameProposals, rescale: bool) -> TrackDataSample:
        """Return the result of a frame, in tensors that may be changed anywhere."""
        given = set(frame.data_sample.keys())
        data_sample = self.model.detect(frame, self.window, rescale, self.recorders)
        if self.tracker is not None:
            self.tracker.add_ids(data_sample)
        for name in set(data_sample.keys()) - given:
            data_sample.set_data({name: independent(data_sample.get(name))})
        return data_sample


def independent(instances: InstanceData) -> InstanceData:
    """Return instances in tensors that may be changed anywhere, also outside of inference mode."""
    with torch.inference_mode(False):
        return InstanceData(metainfo=instances.metainfo, **{key: value.clone() for key, value in instances.items()})


def _video_id(data_sample: TrackDataSample) -> int | None:
    return data_sample.metainfo.get('video_id')


def _ends_video(data_sample: TrackDataSample) -> bool:
    """Return whether a frame is the last of its video, as a still image is."""
    meta = data_sample.metainfo
    frame_id = meta.get('frame_id', -1)
    return frame_id < 0 or frame_id == meta.get('video_length', 0) - 1
