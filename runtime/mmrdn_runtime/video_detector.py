# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from mmrdn.structures import FrameDetections
from mmrdn.utils.text import shown
from mmrdn_runtime.model_directory import ModelDirectory
from mmrdn_runtime.onnx_runtime_backend import OnnxRuntimeBackend
from mmrdn_runtime.openvino_backend import OpenVinoBackend
from mmrdn_runtime.video_stream import VideoStream

BACKENDS = dict(onnxruntime=OnnxRuntimeBackend, openvino=OpenVinoBackend)
_END = object()  # of an iterator
_MAX_THREADS = 1024  # more would only use up the machine


class VideoDetector:
    """An exported detector for videos.

    Args:
        path (str or Path): Directory that ``tools/deployment/export_onnx.py`` wrote.
        backend (str): What computes: ``'onnxruntime'`` or ``'openvino'``.
        threads (int): Threads of a graph; 0 for as many as the backend likes.
        **options: Other arguments of the backend, see :class:`OnnxRuntimeBackend` and
            :class:`OpenVinoBackend`.

    Attributes:
        classes (list[str]): Class names in the order of the labels.
        lookahead (int): Number of frames ahead that a frame waits for.

    Raises:
        FileNotFoundError: There is no such directory, or a file of it is missing.
        ValueError: A file is damaged or of another version, or an argument is none that the backend takes.
    """

    def __init__(self, path: str | Path, backend: str = 'onnxruntime', *, threads: int = 0, **options: Any) -> None:
        if not isinstance(backend, str) or backend not in BACKENDS:
            raise ValueError(f'backend must be one of {", ".join(BACKENDS)}, got {backend}')
        if type(threads) is not int or not 0 <= threads <= _MAX_THREADS:
            raise ValueError(f'threads must be an integer from 0 to {_MAX_THREADS}, got {threads!r}')
        known = signature(BACKENDS[backend]).parameters
        for name in options:
            if name not in known:
                raise ValueError(f'backend {backend} has no argument {name}, expected some of {", ".join(known)}')
        self.directory = ModelDirectory(path)
        self.classes = self.directory.classes
        self.lookahead = self.directory.memory['lookahead'] if self.directory.memory else 0
        opened = BACKENDS[backend](threads=threads, **options)
        self._graphs = [opened.open(self.directory.path / file) for file in self.directory.files]
        for file, graph in zip(self.directory.files, self._graphs):
            self.directory.check_graph(file, graph)

    @property
    def has_relations(self) -> bool:
        """bool: Whether detections come with relation weights to the next frame, for box linking."""
        return 'link_weights' in self._graphs[1].outputs

    def open_stream(self, name: str = '') -> VideoStream:
        """Begin a new video that is fed frame by frame; several may be open at once.

        Args:
            name (str): Name of the video in messages.
        """
        return VideoStream(self.directory, *self._graphs, name=name)

    def stream(self, frames: Iterable[np.ndarray]) -> Iterator[FrameDetections]:
        """Detect in the frames of one video as they come.

        Each result is delayed by ``lookahead`` frames; the last ones come when the video ends. Memory does
        not grow with the video.

        Args:
            frames (Iterable[np.ndarray]): Frames, (H, W, 3) uint8 BGR each.

        Yields:
            FrameDetections: One a frame, in order.

        Raises:
            ValueError: A frame is no such array; names its number.
        """
        images = _images(frames, 'frames')
        stream = self.open_stream()
        for image in images:
            yield from stream.feed(image)
        yield from stream.flush()

    def stream_many(self, videos: Iterable[Iterable[np.ndarray]]) -> Iterator[tuple[int, FrameDetections]]:
        """Detect in several videos at once, one frame of each in turn.

        Args:
            videos (Iterable[Iterable[np.ndarray]]): Frames of each video as in :meth:`stream`.

        Yields:
            tuple[int, FrameDetections]: Index of the video, and its next result.

        Raises:
            ValueError: A video has no frames to go through; names it.
            Exception: The error of one video, raised once the others have ended; that video ends where
                it occurred.
        """
        running = {i: _images(video, f'video {i}') for i, video in enumerate(_images(videos, 'videos'))}
        streams = [self.open_stream(f'video {i}') for i in running]
        errors: list[Exception] = []
        while running:
            for i in list(running):
                try:
                    image = next(running[i], _END)
                    results = [] if image is _END else streams[i].feed(image)
                except Exception as error:  # of one video: the others continue
                    errors.append(error)
                    image, results = _END, []
                if image is _END:
                    del running[i]
                    results = streams[i].flush()
                yield from ((i, result) for result in results)
        if errors:
            raise errors[0]


def _images(frames: Iterable, name: str) -> Iterator:
    """Return an iterator over the frames of a video, or over videos; raise ValueError if there is none."""
    try:
        return iter(frames)
    except TypeError:
        raise ValueError(f'{name} must be iterable, such as a list, got {shown(frames)}') from None
