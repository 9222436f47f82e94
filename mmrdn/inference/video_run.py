# Copyright (c) mmrdn contributors. All rights reserved.
"""One video through a detector: preprocessing, detection, linking; frames and results together."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from mmrdn.inference.reference_stream import ReferenceStream
from mmrdn.models import RDN, NextFrameRelations, TopSupports
from mmrdn.models.memory import Recorder
from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.models.vid.stream import VideoStream
from mmrdn.post_processing import BaseBoxLinker, VideoLinker
from mmrdn.structures import FrameDetections
from mmrdn.utils.interrupts import hold_interrupts
from mmrdn.video import BaseSource, Frame, FrameBuffer, open_source, prefetch

# The detections of a frame, the frame, and the images kept, by their offset in frames from it.
Found = Iterator[tuple[FrameDetections, Frame, Mapping]]
# Called with the number of frames done, and of all if known.
Progress = Callable[[int, int | None], None] | None


def detect(stream: VideoStream | ReferenceStream, source: BaseSource, buffer: FrameBuffer, keep_images: bool) -> Found:
    """Detect in frames that are decoded and preprocessed ahead.

    Args:
        stream (VideoStream or ReferenceStream): A new stream through the detector.
        source (BaseSource): The video.
        buffer (FrameBuffer): An empty buffer.
        keep_images (bool): Whether images are needed with the results.

    Yields:
        tuple: Detections, frame and images of each frame, in order.
    """

    def prepared() -> Iterator[tuple[Frame, dict]]:
        for frame in source:
            inputs = stream.prepare(frame.image)
            if not keep_images:
                frame = dataclasses.replace(frame, image=None)
            yield frame, inputs

    stream.begin(source)
    with contextlib.closing(prefetch(prepared())) as frames:
        for frame, inputs in frames:
            buffer.add(frame)
            for sample in stream.feed(inputs):
                yield (to_frame_detections(sample), *buffer.take())
    for sample in stream.flush():
        yield (to_frame_detections(sample), *buffer.take())


def detect_and_link(
    stream: VideoStream | ReferenceStream,
    linker: BaseBoxLinker,
    source: BaseSource,
    buffer: FrameBuffer,
    keep_images: bool,
    progress: Progress,
) -> Found:
    """Detect in the whole video, link its boxes, read its frames again.

    After Ctrl-C the frames that have results are linked and yielded, then KeyboardInterrupt is raised.

    Args:
        stream (VideoStream or ReferenceStream): A new stream through the detector.
        linker (BaseBoxLinker): Linker of the boxes.
        source (BaseSource): The video; read twice if images are needed.
        buffer (FrameBuffer): An empty buffer.
        keep_images (bool): Whether images are needed with the results.
        progress (callable, optional): Function called after each frame that was detected.

    Yields:
        tuple: Detections, frame and images of each frame, in order.
    """
    video = VideoLinker(linker)
    frames: list[Frame] = []
    linked: list[FrameDetections] = []
    interrupt = None
    try:
        for detections, frame, _ in detect(stream, source, FrameBuffer(), False):
            linked += video.add(detections)
            frames.append(frame)
            if progress is not None:
                progress(len(frames), source.num_frames)
    except KeyboardInterrupt as error:
        interrupt = error
    try:
        with hold_interrupts():
            linked += video.finish()
    except KeyboardInterrupt as error:
        interrupt = error
    ahead = stream.lookahead if buffer.num_behind else 0
    with contextlib.closing(iter(source) if keep_images else (frame for frame in frames)) as again:
        for detections in linked:
            missing = max(ahead + 1 - buffer.num_waiting, 0)
            for frame in itertools.islice(again, missing):
                buffer.add(frame)
            yield (detections, *buffer.take())
    if interrupt is not None:
        raise interrupt


def run_recorders(model: RDN, linker: BaseBoxLinker | None, show_relations: bool, score_thr: float) -> list[Recorder]:
    """Make the recorders of relation weights that a run needs.

    Args:
        model (RDN): The detector.
        linker (BaseBoxLinker, optional): Linker of its boxes.
        show_relations (bool): Whether supports of detections are drawn.
        score_thr (float): Lowest score of a detection that is drawn.
    """
    recorders: list[Recorder] = []
    if show_relations:
        # Linking may raise any score above the threshold.
        recorders.append(TopSupports(score_thr=score_thr if linker is None else 0))
    if linker is not None and linker.uses_relations and getattr(model.neck, 'num_basic', 0):
        recorders.append(NextFrameRelations())
    return recorders


def as_source(video: str | Path | BaseSource, **options) -> BaseSource:
    """Return the video as a source."""
    if not isinstance(video, BaseSource):
        return open_source(video, **options)
    for name, value in options.items():
        if value not in (None, False):
            raise ValueError(f'{name} is for videos that are opened here; give it to {type(video).__name__}')
    return video


def of_classes(detections: FrameDetections, labels: list[int] | None) -> FrameDetections:
    """Return the detections of some classes, or of all if they are None."""
    return detections if labels is None else detections.select(np.isin(detections.labels, labels))
