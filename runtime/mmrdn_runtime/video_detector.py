# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmrdn.structures import FrameDetections
from mmrdn_runtime.model_directory import FILES, ModelDirectory
from mmrdn_runtime.video_stream import VideoStream


class VideoDetector:
    """An exported detector for videos, on ONNX Runtime.

    Args:
        path (str or Path): Directory that ``tools/deployment/export_onnx.py`` wrote.
        providers (Sequence[str]): Execution providers of ONNX Runtime, the preferred one first.
        threads (int): Threads of ONNX Runtime; 0 for as many as it likes.

    Attributes:
        classes (list[str]): Class names in the order of the labels.
        lookahead (int): Number of frames ahead that a frame waits for.

    Raises:
        FileNotFoundError: There is no such directory, or a file of it is missing.
        ValueError: A file is damaged or of another version, or there is no such provider.
    """

    def __init__(
        self, path: str | Path, providers: Sequence[str] = ('CPUExecutionProvider',), threads: int = 0
    ) -> None:
        self.directory = ModelDirectory(path)
        self.classes = self.directory.classes
        self.lookahead = self.directory.memory['lookahead'] if self.directory.memory else 0
        self._sessions = [_session(self.directory.path / file, providers, threads) for file in FILES]

    def open_stream(self, name: str = '') -> VideoStream:
        """Begin a new video that is fed frame by frame; several may be open at once.

        Args:
            name (str): Name of the video in messages.
        """
        return VideoStream(self.directory, *self._sessions, name)

    def stream(self, frames: Iterable[np.ndarray]) -> Iterator[FrameDetections]:
        """Detect in the frames of one video as they come.

        Results come ``lookahead`` frames late, the last ones when the video ends. Memory does not
        grow with the video.

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


def _session(path: Path, providers: Sequence[str], threads: int) -> Any:
    """Open a graph."""
    import onnxruntime

    missing = set(providers) - set(known := onnxruntime.get_available_providers())
    if missing:
        raise ValueError(f'ONNX Runtime has no {", ".join(sorted(missing))} here, expected some of {", ".join(known)}')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=list(providers))
    except Exception as error:  # its own kinds, which have no common base
        raise ValueError(f'{path}: ONNX Runtime cannot read it: {error}') from None
