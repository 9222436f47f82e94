# Copyright (c) mmrdn contributors. All rights reserved.
"""Frames of a video through a stream; neither torch nor OpenMMLab."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from mmrdn.structures import Frame, FrameDetections
from mmrdn.video import BaseSource, FrameBuffer, prefetch


def check_image(image: Any, name: str) -> None:
    """Raise ValueError, which begins with the name, unless an image is a (H, W, 3) uint8 array with H, W >= 1."""
    if not isinstance(image, np.ndarray):
        raise ValueError(f'{name} must be a (H, W, 3) uint8 array, got a {type(image).__name__}')
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'{name} must be (H, W, 3) uint8 with H, W >= 1, got {image.shape} {image.dtype}')


class Stream(Protocol):
    """Interface of streams: frames in, results out that come late and in order."""

    def prepare(self, image: Any) -> Any:
        """Preprocess the next frame, in another thread."""

    def feed(self, prepared: Any) -> list:
        """Take a frame of :meth:`prepare`; return the results that are ready."""

    def flush(self) -> list:
        """End the video; return the results of the frames that still wait."""


def run_stream(
    stream: Stream,
    source: BaseSource,
    buffer: FrameBuffer,
    keep_images: bool,
    convert: Callable[[Any], FrameDetections] = lambda result: result,
) -> Iterator[tuple[FrameDetections, Frame, Mapping]]:
    """Run a stream on frames that are decoded and preprocessed ahead.

    Args:
        stream (Stream): A new stream through the detector.
        source (BaseSource): The video.
        buffer (FrameBuffer): An empty buffer.
        keep_images (bool): Whether images are needed with the results.
        convert (callable): Function that makes the detections of a result; results are detections
            if not given.

    Yields:
        tuple: Detections, frame and images of each frame, in order.
    """

    def prepared() -> Iterator[tuple[Frame, Any]]:
        for frame in source:
            inputs = stream.prepare(frame.image)
            if not keep_images:
                frame = dataclasses.replace(frame, image=None)
            yield frame, inputs

    with contextlib.closing(prefetch(prepared())) as frames:
        for frame, inputs in frames:
            buffer.add(frame)
            for result in stream.feed(inputs):
                yield (convert(result), *buffer.take())
    for result in stream.flush():
        yield (convert(result), *buffer.take())
