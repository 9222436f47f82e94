# Copyright (c) mmrdn contributors. All rights reserved.
"""Reading video files: the one way for videos, data sets and tools."""

import bisect
import gc
import os
import re
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from mmrdn.fileio.image_files import MAX_PIXELS

# Of files that are videos by their names, in a directory or pattern.
VIDEO_SUFFIXES = (
    *('.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi', '.flv', '.wmv', '.asf', '.mpg', '.mpeg', '.m2v', '.vob'),
    *('.ts', '.mts', '.m2ts', '.mxf', '.3gp', '.3g2', '.ogv', '.y4m', '.mjpg', '.mjpeg', '.h264', '.h265', '.hevc'),
)
# All but lists of other files: what a file names is not opened.
_FORMATS = ','.join(sorted(av.formats_available - {'concat', 'dash', 'hls', 'imf', 'rtsp', 'sdp', 'lavfi'}))

# A forked process that frees a decoder of its parent, left to the garbage collector in a cycle, waits forever for the
# decoding threads, which only the parent has.
os.register_at_fork(before=gc.collect)


def open_container(url: str, name: str, **kwargs) -> tuple[InputContainer, VideoStream]:
    """Open a file, device or stream with FFmpeg.

    Args:
        url (str): FFmpeg's name of it.
        name (str): Its name in messages.
        **kwargs: See :func:`av.open`.

    Returns:
        tuple: The container and its first video stream.

    Raises:
        ValueError: It is no video, or claims frames of more than ``MAX_PIXELS``.
        OSError: It cannot be opened.
    """
    if url.startswith('file:'):
        kwargs.setdefault('options', dict(format_whitelist=_FORMATS))
    try:
        container = av.open(url, **kwargs)
    except av.error.InvalidDataError:
        raise ValueError(f'{name} is no video, or so truncated that nothing can be read') from None
    except (av.error.FFmpegError, OSError) as error:
        raise OSError(f'{name} cannot be opened: {reason_of(error)}') from None
    if not container.streams.video:
        container.close()
        raise ValueError(f'{name} has no video in it')
    stream = container.streams.video[0]
    if stream.width * stream.height > MAX_PIXELS:
        container.close()
        raise ValueError(
            f'{name} claims frames of {stream.width}x{stream.height}, expected {MAX_PIXELS} pixels at most'
        )
    # Frames may grow on the way. The decoder also adds padding.
    stream.codec_context.options = dict(max_pixels=str(2 * MAX_PIXELS))
    # Frame threads swallow errors and come late.
    stream.thread_type = 'SLICE'
    return container, stream


def reason_of(error: Exception) -> str:
    """Return FFmpeg's message in words that a user knows."""
    if isinstance(error, av.error.ExitError):  # of the time limit
        return 'no data came in time'
    return getattr(error, 'strerror', None) or str(error)


def to_bgr(decoded: av.VideoFrame) -> np.ndarray:
    """Return (H, W, 3) uint8 BGR, turned as the frame's metadata say."""
    image = decoded.to_ndarray(format='bgr24')
    turns = round(decoded.rotation / 90) % 4  # counterclockwise
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def split_frame_path(path: str | os.PathLike) -> tuple[str, int] | None:
    """Return the video file and the index of a frame in it, as in ``clips/a.mp4/000012``; None for other paths."""
    video, number = os.path.split(path)
    return (video, int(number)) if re.fullmatch('[0-9]{1,9}', number) and os.path.isfile(video) else None


class VideoFrames:
    """The frames of a video file by index, the same as a reading from its beginning gives.

    A frame is decoded from the last keyframe before it, or from where the last reading stopped if
    that is nearer. The packets are looked through once, without decoding.

    Args:
        path (str or Path): The file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, no video, or has no frames.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.name = f'video {path}'
        if not os.path.isfile(path):
            raise FileNotFoundError(f'{self.name} does not exist')
        if not os.path.getsize(path):
            raise ValueError(f'{self.name} is empty')
        self._url = f'file:{os.fspath(path)}'  # keeps FFmpeg from taking "a:b.mp4" for a protocol
        self._container: InputContainer | None = None
        self._decoded: Iterator[av.VideoFrame] = iter(())
        self._next = 0  # index of the frame that is decoded next
        container, stream = open_container(self._url, self.name)
        with container:
            times, keys = self._read_packets(container, stream)
        if not times:
            raise ValueError(f'{self.name} has no frames')
        self._length = len(times)
        # Without distinct times frames can only be counted from the beginning.
        self._times = sorted(times) if None not in times and len(set(times)) == len(times) else None
        self._keys = sorted(bisect.bisect_left(self._times, time) for time in keys) if self._times else [0]

    def _read_packets(self, container: InputContainer, stream: VideoStream) -> tuple[list, list]:
        """Return the times of all packets, and of those that decoding can begin with."""
        times, keys = [], []
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    times.append(packet.pts)
                    if packet.is_keyframe:
                        keys.append(packet.pts)
        except av.error.FFmpegError as error:
            raise ValueError(f'{self.name} is truncated or damaged: {reason_of(error)}') from None
        return times, keys

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> np.ndarray:
        """Decode a frame.

        Args:
            index (int): Index of the frame, from 0.

        Returns:
            np.ndarray: (H, W, 3) uint8 BGR.

        Raises:
            IndexError: There is no such frame.
            ValueError: It cannot be decoded.
        """
        if not 0 <= index < self._length:
            raise IndexError(f'{self.name} has {self._length} frames, there is no frame {index}')
        try:
            return to_bgr(self._find(index))
        except av.error.FFmpegError as error:
            self.close()
            raise ValueError(f'{self.name} is truncated or damaged before frame {index}: {reason_of(error)}') from None

    def _find(self, index: int) -> av.VideoFrame:
        key = bisect.bisect_right(self._keys, index) - 1
        if self._container is None or not self._keys[max(key, 0)] <= self._next <= index:
            # A seek may land after the keyframe that was meant: then start at the one before.
            while key >= 0 and not self._seek(self._keys[key]):
                key -= 1
            if key < 0:
                self._start()
        for decoded in self._decoded:
            here, self._next = self._next, self._next + 1
            if here == index:
                if self._times and decoded.pts != self._times[index] or decoded.is_corrupt:
                    break
                return decoded
        self.close()
        raise ValueError(f'{self.name} is truncated or damaged at frame {index}: it cannot be read by index')

    def _start(self) -> None:
        """Start again with the first frame."""
        self.close()
        self._container, stream = open_container(self._url, self.name)
        self._decoded = self._container.decode(stream)
        self._next = 0

    def _seek(self, index: int) -> bool:
        """Go to a keyframe, or return False if what comes next is another frame."""
        if index == 0 or self._container is None:
            self._start()
        if index == 0:
            return True
        stream = self._container.streams.video[0]
        self._container.seek(self._times[index], stream=stream)
        self._decoded = self._container.decode(stream)
        for decoded in self._decoded:
            if decoded.pts is not None and decoded.pts >= self._times[index]:
                self._decoded = _chain(decoded, self._decoded)
                self._next = index
                return decoded.pts == self._times[index]
        return False

    def close(self) -> None:
        """Close the file; the next frame opens it again."""
        if self._container is not None:
            self._container.close()
        self._container, self._decoded = None, iter(())


def _chain(first: av.VideoFrame, others: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    yield first
    yield from others
