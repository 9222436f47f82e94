# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from mmrdn.fileio.video_files import open_container
from mmrdn.video import Frame, VideoFileSource
from mmrdn.video.sources.base_source import DEFAULT_FPS

# Formats that count as a video. FFmpeg reads much more: images, text, lists of other files.
_FORMATS = 'mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264'


class UploadSource(VideoFileSource):
    """A video file from an untrusted user.

    It must have one of the usual video formats, none that refers to other files; this is checked each
    time it is opened. Messages use the sender's file name.

    Args:
        path (Path): The file.
        title (str): The sender's name of it.
        max_frames (int): Number of frames past which it is refused, and not read.
        max_pixels (int): Number of pixels of the largest frame that is taken.

    Raises:
        ValueError: It is empty, no video, or its frames are too large.
    """

    def __init__(self, path: Path, title: str, max_frames: int, max_pixels: int) -> None:
        self._path = path
        self._title = title
        self._max_pixels = max_pixels
        if not path.stat().st_size:
            raise ValueError(f'{title} is empty')
        super().__init__(path, max_frames)
        self.name = title

    def measure(self, max_seconds: float) -> float:
        """Measure the duration of the video.

        Args:
            max_seconds (float): Duration of the longest video that is taken.

        Returns:
            float: Seconds from the first frame to the end of the last.

        Raises:
            ValueError: It is too long, has too many frames, or none.
        """
        count, stamps, seconds = 0, [], 0.0
        container, stream = self._open()
        step = 1 / (stream.guessed_rate or DEFAULT_FPS)
        with container, contextlib.suppress(av.error.FFmpegError):  # the first damage ends it
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                count += 1
                seconds = count * step
                if packet.pts is not None:
                    stamps = [min([*stamps, packet.pts]), max([*stamps, packet.pts])]
                if stamps:
                    seconds = (stamps[1] - stamps[0]) * stream.time_base + step
                if count > self.max_frames:
                    raise ValueError(f'{self.name} has more than {self.max_frames} frames')
                if seconds > max_seconds:
                    raise ValueError(f'{self.name} is longer than {max_seconds:g} seconds')
        if not count:
            raise ValueError(f'{self.name} has no frames in it')
        return float(seconds)

    def _open(self) -> tuple[InputContainer, VideoStream]:
        try:
            container, stream = open_container(
                f'file:{self._path}', self._title, options=dict(format_whitelist=_FORMATS)
            )
        except OSError:  # FFmpeg's reason is of no help
            raise ValueError(f'{self._title} is no video, expected one such as MP4, WebM, MKV, AVI or MPEG') from None
        try:
            self._check_size(stream.height, stream.width)
        except ValueError:
            container.close()
            raise
        # Bounds the memory for frames that grow. The decoder counts pixels with its own padding, so
        # its limit must be wider.
        stream.codec_context.options = dict(max_pixels=str(4 * self._max_pixels))
        return container, stream

    def _frames(self) -> Iterator[Frame]:
        for frame in super()._frames():
            self._check_size(*frame.image.shape[:2])
            yield frame

    def _check_size(self, height: int, width: int) -> None:
        if height * width > self._max_pixels:
            raise ValueError(
                f'{self._title} has frames of {width}x{height}, expected {self._max_pixels} pixels at most'
            )
