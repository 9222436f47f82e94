# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect in a video by a detector of mmtrack, with the frames that mmtrack's test would give it.

mmtrack calls support frames reference frames (``ref_img``). Its detectors keep the features of one
video at a time. The config of the test data set chooses the frames, by mmtrack's own sampling.
"""

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmtrack.datasets import BaseVideoDataset
from mmtrack.models import BaseVideoDetector
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList

from mmrdn.inference.frame_pipeline import FramePipeline
from mmrdn.models.memory import Recorder
from mmrdn.models.task_modules import ByteTracker
from mmrdn.models.vid.stream import independent
from mmrdn.utils.config_types import type_name
from mmrdn.video import BaseSource, LiveSource

_METHODS = ('test_with_adaptive_stride', 'test_with_fix_stride')


class ReferenceSampler:
    """Choice of the frames of a video that a frame refers to, and of how long it waits for them.

    Args:
        options (dict, optional): ``ref_img_sampler`` of the test data set; None refers to none.

    Attributes:
        lookahead (int or None): Frames ahead that a frame waits for; None, all of the video.

    Raises:
        ValueError: It draws frames at random, as in training.
    """

    def __init__(self, options: dict | None) -> None:
        self.options = None if options is None else dict(options)
        self.lookahead: int | None = 0
        if self.options is None:
            return
        method = self.options.get('method')
        if method not in _METHODS:
            raise ValueError(
                'test_dataloader.dataset.ref_img_sampler must have method '
                f'{" or ".join(_METHODS)}, or be None, got {method}'
            )
        span = self.options['frame_range']
        first, last = (-span, span) if isinstance(span, int) else span
        self.options['num_ref_imgs'] = last - first  # as mmtrack sets it
        self.lookahead = last * self.options.get('stride', 1) if method == 'test_with_fix_stride' else None

    def sample(self, frame_id: int, length: int) -> tuple[list[int], dict]:
        """Return the reference frames that a frame adds, and its fields that mmtrack's detectors read.

        Args:
            frame_id (int): Index of the frame.
            length (int): Number of frames of the video; while it is unknown, number of frames so far,
                more than ``frame_id + lookahead``.
        """
        info, *references = _FramesOfVideo(length, self.options).ref_img_sampling(
            frame_id, dict(frame_id=frame_id, video_length=length), **self.options
        )
        told = {key: value for key, value in info.items() if key not in ('frame_id', 'video_length')}
        return [reference['frame_id'] for reference in references], told


class _FramesOfVideo:
    """The frames of one video as the data set that mmtrack's sampling asks; it sees their numbers only."""

    load_as_video = True
    ref_img_sampling = BaseVideoDataset.ref_img_sampling

    def __init__(self, length: int, options: dict) -> None:
        self.valid_data_indices = range(length)
        self.ref_img_sampler = options

    def _get_ori_data_info(self, index: int) -> dict:
        return dict(frame_id=index)


class ReferenceStreams:
    """Streams of videos through a detector of mmtrack, one video at a time.

    Args:
        model (BaseVideoDetector): Detector, such as SELSA, FGFA, DFF, or SELSA with Temporal RoI
            Align.
        dataset (dict): Config of its test data set.
        scope (str, optional): Default scope of the config.
        precision (callable): Function that makes the context of the model's computations.
        lookahead (int, optional): Number of frames ahead that a frame waits for; if given, it must be
            that of the config.

    Raises:
        ValueError: The config cannot be used, or not with this ``lookahead``.
    """

    has_relations = False

    def __init__(
        self,
        model: BaseVideoDetector,
        dataset: dict,
        scope: str | None,
        precision: Callable[[], AbstractContextManager],
        lookahead: int | None = None,
    ) -> None:
        self.model = model
        self.name = type(model).__name__
        self.precision = precision
        self.sampler = ReferenceSampler(dataset.get('ref_img_sampler', {}))
        self.lookahead = self.sampler.lookahead
        if lookahead not in (None, self.lookahead):
            needs = 'the whole video' if self.lookahead is None else f'{self.lookahead} frames ahead'
            raise ValueError(f'{self.name} cannot do with lookahead={lookahead}: its test config looks at {needs}')
        transforms, self.pack = list(dataset['pipeline']), None
        if self.sampler.options is not None:
            if not transforms or type_name(transforms[0]) != 'TransformBroadcaster':
                raise ValueError('a test pipeline with a ref_img_sampler must begin with a TransformBroadcaster')
            with DefaultScope.overwrite_default_scope(scope or 'mmrdn'):
                self.pack = Compose(transforms[1:])
            transforms = transforms[0]['transforms']
        self.pipeline = FramePipeline(transforms, scope)
        self.current: Callable[[], ReferenceStream | None] = lambda: None  # whose features the model keeps

    def open(
        self, name: str = '', recorders: Sequence[Recorder] = (), tracker: ByteTracker | None = None
    ) -> 'ReferenceStream':
        """Begin a new video."""
        if recorders:
            raise ValueError(f'{self.name} has no relation weights to record')
        return ReferenceStream(self, name, tracker)

    def check_several(self) -> None:
        """Refuse several videos at once."""
        raise ValueError(f'{self.name} keeps the features of one video: it cannot detect in several at once')


class ReferenceStream:
    """A video on its way through a detector of mmtrack, with the methods of :class:`VideoStream`.

    Args:
        streams (ReferenceStreams): The detector.
        name (str): Name of the video in messages.
        tracker (ByteTracker, optional): Tracker of this stream, which gives boxes their tracks.

    Attributes:
        lookahead (int or None): Frames ahead that a frame waits for; None, all of the video.
    """

    def __init__(self, streams: ReferenceStreams, name: str = '', tracker: ByteTracker | None = None) -> None:
        self._streams = streams
        self._prefix = f'{name}, ' if name else ''
        self._tracker = tracker
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.lookahead = self._streams.lookahead
        self._num_prepared, self._num_come, self._next = 0, 0, 0
        self._length: int | None = None
        self._ahead: dict[int, dict] = {}  # frames of begin()
        self._frames: dict[int, dict] = {}  # those that came and are needed
        if self._tracker is not None:
            self._tracker.reset()

    def begin(self, source: BaseSource) -> None:
        """Read a video once beforehand if its first frame refers to its last one.

        Otherwise all frames would be kept until its end, as they are for a source that cannot be read
        twice.

        Raises:
            ValueError: The source is a camera or a stream.
        """
        if self.lookahead is not None:
            return
        if isinstance(source, LiveSource):
            raise ValueError(f'{self._streams.name} looks at the whole video first: it cannot detect in {source.name}')
        if not source.rereadable:
            return
        length = source.num_frames or 0
        while length != self._length:  # the number that a file claims may be wrong
            wanted = self._streams.sampler.sample(0, length)[0] if length else []
            self._length, self._ahead = length, {}
            count = 0
            for count, frame in enumerate(source, 1):
                if frame.index in wanted:
                    self._ahead[frame.index] = self._load(frame.image, frame.index)
            length = count
        self.lookahead = 0

    def prepare(self, image: np.ndarray) -> dict:
        """Preprocess the next frame; may run in another thread.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.

        Returns:
            dict: The frame, as :meth:`feed` takes it.
        """
        frame_id = self._num_prepared
        self._num_prepared += 1
        return self._load(image, frame_id)

    def feed(self, prepared: dict) -> SampleList:
        """Take a frame of :meth:`prepare`; return the results that are ready."""
        self._frames[self._num_come] = prepared
        self._num_come += 1
        results = []
        while self.lookahead is not None and self._next + self.lookahead < self._num_come:
            results.append(self._detect())
        return results

    def flush(self) -> SampleList:
        """End the video; return the results of the frames that still wait."""
        results = []
        while self._next < self._num_come:
            results.append(self._detect())
        self.reset()
        return results

    def _load(self, image: np.ndarray, frame_id: int) -> dict:
        return self._streams.pipeline(image, frame_id, f'{self._prefix}frame {frame_id}')

    def _detect(self) -> TrackDataSample:
        """Return the result of the next frame."""
        streams, frame_id = self._streams, self._next
        if frame_id == 0:
            streams.current = weakref.ref(self)
        elif streams.current() is not self:
            raise ValueError(f'{streams.name} keeps the features of one video, and another one was begun meanwhile')
        data = pseudo_collate([self._sample(frame_id)])
        with torch.inference_mode(), streams.precision():
            (result,) = streams.model.test_step(data)
        result.pred_det_instances = independent(result.pred_det_instances)
        if self._tracker is not None:
            self._tracker.add_ids(result)
        del self._frames[frame_id]
        self._next += 1
        return result

    def _sample(self, frame_id: int) -> dict:
        """Return a frame and its references, packed as the data set does."""
        streams = self._streams
        if streams.pack is None:
            return self._frames[frame_id]
        references, told = streams.sampler.sample(frame_id, self._length or self._num_come)
        found = self._frames | self._ahead
        frames = [dict(found[i], **told, is_video_data=True) for i in (frame_id, *references)]
        shapes = list(dict.fromkeys(frame['img'].shape[:2] for frame in frames))
        if len(shapes) > 1:
            sizes = ' and '.join(f'{width}x{height}' for height, width in shapes)
            raise ValueError(f'{streams.name} needs frames of one size, got {sizes} after the test pipeline')
        return streams.pack({key: [frame[key] for frame in frames] for key in frames[0]})
