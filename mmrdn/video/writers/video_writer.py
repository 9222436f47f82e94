# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from mmrdn.video.sources.base_source import DEFAULT_FPS
from mmrdn.video.writers.base_writer import BaseWriter

_TICKS = 90000  # a second
_MAX_SIDE = 16384  # pixels, of libx264


class VideoWriter(BaseWriter):
    """An MP4 file with H.264, which browsers play.

    Frames keep their times, also at a variable rate. The first frame gives the size; odd sides get
    one row or column more, as yuv420p needs even ones. Frames of another size are fitted into it,
    with black bars.

    Args:
        path (str or Path): Ends in ``.mp4``.
        overwrite (bool): Whether it may be there already.
        fps (float, optional): Frames a second, for frames without a time and for how long the last
            one is shown.
    """

    def __init__(self, path: str | Path, overwrite: bool = False, fps: float | None = None) -> None:
        if Path(path).suffix.lower() != '.mp4':
            raise ValueError(f'{path} must end in .mp4')
        super().__init__(path, overwrite)
        self._fps = fps or DEFAULT_FPS
        self._size = None  # height and width of the first frame
        self._last_tick = -1
        # Whether it can be written shows now: FFmpeg opens it later.
        self.partial.touch(exist_ok=False)
        # The prefix keeps FFmpeg from taking "a:b.mp4" for a protocol.
        self._container = av.open(f'file:{self.partial}', 'w', format='mp4', options=dict(movflags='faststart'))

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Write a frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            time (float, optional): Seconds since the beginning; one frame after the last if not
                given.
        """
        if self._size is None:
            self._begin(*image.shape[:2])
        step = _TICKS / self._fps
        tick = self.num_frames * step if time is None else time * _TICKS
        tick = max(round(tick), self._last_tick + 1)
        height, width = self._size
        even = cv2.copyMakeBorder(_fit(image, height, width), 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(even, format='bgr24')
        frame.time_base = Fraction(1, _TICKS)
        frame.pts, frame.duration = tick, max(round(step), 1)
        self._container.mux(self._stream.encode(frame))
        self._last_tick = tick
        self.num_frames += 1

    def _begin(self, height: int, width: int) -> None:
        """Set up the encoder for the size of the first frame."""
        if max(height, width) > _MAX_SIDE:
            raise ValueError(
                f'{self.path}: H.264 takes frames of up to {_MAX_SIDE} pixels a side, got {width}x{height}'
            )
        rate = Fraction(self._fps).limit_denominator(1001)
        self._stream = self._container.add_stream(
            'libx264',
            rate=max(rate, Fraction(1, 1001)),
            # Without B-frames the file's duration includes the last frame.
            options=dict(crf='20', preset='veryfast', bf='0'),
        )
        self._stream.pix_fmt = 'yuv420p'
        self._stream.height = height + height % 2
        self._stream.width = width + width % 2
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._size = height, width

    def _finish(self) -> None:
        self._container.mux(self._stream.encode())
        self._container.close()

    def _discard(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._container.close()
        super()._discard()


def _fit(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the whole image with its proportions kept, (height, width, 3)."""
    if image.shape[:2] == (height, width):
        return image
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = [max(round(side * scale), 1) for side in image.shape[:2]]
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    canvas[top : top + inner[0], left : left + inner[1]] = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA)
    return canvas
