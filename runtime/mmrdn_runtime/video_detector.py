# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmrdn.structures import FrameDetections
from mmrdn_runtime.model_directory import ModelDirectory
from mmrdn_runtime.onnx_runtime_backend import OnnxRuntimeBackend
from mmrdn_runtime.openvino_backend import OpenVinoBackend
from mmrdn_runtime.video_stream import VideoStream

BACKENDS = dict(onnxruntime=OnnxRuntimeBackend, openvino=OpenVinoBackend)
_END = object()  # of an iterator


class VideoDetector:
    """An exported detector for videos.

    Args:
        path (str or Path): Directory that ``tools/deployment/export_onnx.py`` wrote.
        backend (str): What computes: ``'onnxruntime'`` or ``'openvino'``.
        **options: Arguments of the backend, see :class:`OnnxRuntimeBackend` and
            :class:`OpenVinoBackend`; both take ``threads``.

    Attributes:
        classes (list[str]): Class names in the order of the labels.
        lookahead (int): Number of frames ahead that a frame waits for.

    Raises:
        FileNotFoundError: There is no such directory, or a file of it is missing.
        ValueError: A file is damaged or of another version, or there is no such backend or provider.
    """

    def __init__(self, path: str | Path, backend: str = 'onnxruntime', **options: Any) -> None:
        if backend not in BACKENDS:
            raise ValueError(f'backend must be one of {", ".join(BACKENDS)}, got {backend}')
        self.directory = ModelDirectory(path)
        self.classes = self.directory.classes
        self.lookahead = self.directory.memory['lookahead'] if self.directory.memory else 0
        opened = BACKENDS[backend](**options)
        self._graphs = [opened.open(self.directory.path / file) for file in self.directory.files]
        for file, graph in zip(self.directory.files, self._graphs):
            self.directory.check_inputs(file, graph.inputs)

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
        stream = self.open_stream()
        for image in frames:
            yield from stream.feed(image)
        yield from stream.flush()

    def stream_many(self, videos: Sequence[Iterable[np.ndarray]]) -> Iterator[tuple[int, FrameDetections]]:
        """Detect in several videos at once, one frame of each in turn.

        Args:
            videos (Sequence[Iterable[np.ndarray]]): Frames of each video as in :meth:`stream`.

        Yields:
            tuple[int, FrameDetections]: Index of the video, and its next result.

        Raises:
            Exception: The error of one video, raised once the others have ended; that video ends where
                it occurred.
        """
        streams = [self.open_stream(f'video {i}') for i in range(len(videos))]
        running = {i: iter(video) for i, video in enumerate(videos)}
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
