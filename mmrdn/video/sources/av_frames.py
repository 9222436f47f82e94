# Copyright (c) mmrdn contributors. All rights reserved.
"""What video files and live streams share: decoding with PyAV."""

from collections.abc import Callable, Iterator
from typing import Optional

import av
import numpy as np

from mmrdn.structures.frame import Frame
from mmrdn.video.sources.base_source import DEFAULT_FPS


def open_container(url: str, name: str, **kwargs) -> tuple:
    """Open what FFmpeg can read.

    Args:
        url (str): What FFmpeg is given.
        name (str): What messages call it.
        **kwargs: See :func:`av.open`.

    Returns:
        tuple: The container and its first video stream.

    Raises:
        ValueError: It is no video.
        OSError: It cannot be opened.
    """
    try:
        container = av.open(url, **kwargs)
    except av.error.InvalidDataError:
        raise ValueError(f'{name} is no video, or so truncated that nothing can be read') from None
    except (av.error.FFmpegError, OSError) as error:
        raise OSError(f'{name} cannot be opened: {_reason(error)}') from None
    if not container.streams.video:
        container.close()
        raise ValueError(f'{name} has no video in it')
    stream = container.streams.video[0]
    # Frame threads swallow errors and come late.
    stream.thread_type = 'SLICE'
    return container, stream


def _reason(error: Exception) -> str:
    """What FFmpeg says, in words that a user knows."""
    if isinstance(error, av.error.ExitError):  # of the time limit
        return 'no data came in time'
    return getattr(error, 'strerror', None) or str(error)


def decode(
    container: 'av.container.InputContainer', stream: 'av.video.stream.VideoStream', damaged: Callable[[int, str], None]
) -> Iterator[Frame]:
    """Decode a video stream, going on where a part of it is damaged.

    Args:
        container (InputContainer): An open container.
        stream (VideoStream): Of it.
        damaged (callable): Called for the first damage with the number of frames before it and the
            reason.

    Yields:
        Frame: The next one.
    """
    step = float(1 / (stream.guessed_rate or DEFAULT_FPS))
    count, offset, time = 0, None, -step
    damage = _Damage(damaged)
    packets = _Packets(container, stream, damage)
    for packet in packets:
        for picture in _decode_packet(stream, packet, damage):
            if picture.pts is None:
                time += step
            else:
                stamp = float(picture.pts * stream.time_base)
                if offset is None or stamp + offset < time:
                    # The first one, or a clock that begins anew.
                    offset = time + step - stamp
                time = stamp + offset
            if picture.is_corrupt:  # the decoder guessed a part of it
                damage.note('incomplete data', picture.pts)
            damage.tell_before(picture.pts, count)
            yield Frame(_to_bgr(picture), count, time)
            count += 1
    if packets.are_fewer_than_said(step):
        damage.note('the end is missing')
    damage.tell_before(None, count)


class _Damage:
    """The first damage of a stream, told once its frame number is known.

    Frames come out of the decoder later than packets go in.
    """

    def __init__(self, tell: Callable[[int, str], None]) -> None:
        self._tell = tell
        self._reason: str | None = None
        self._pts: int | None = None
        self._told = False

    def note(self, reason: str, pts: int | None = None) -> None:
        """Note damage of the packet of that time, of the end if None."""
        if self._reason is None:
            self._reason, self._pts = reason, pts

    def tell_before(self, pts: int | None, count: int) -> None:
        """Tell damage before the frame of that time, number `count`."""
        if self._reason is None or self._told:
            return
        if pts is None or self._pts is not None and pts >= self._pts:
            self._tell(count, self._reason)
            self._told = True


class _Packets:
    """The packets of a video stream, and whether all of them came.

    Iterating gives each of them, and None at the end.
    """

    def __init__(
        self, container: 'av.container.InputContainer', stream: 'av.video.stream.VideoStream', damage: _Damage
    ) -> None:
        self._container = container
        self._stream = stream
        self._damage = damage
        self._num = 0
        self._end = 0.0  # seconds, of the video stream
        self._end_of_all = 0.0  # of all streams

    def __iter__(self) -> Iterator[Optional['av.Packet']]:
        try:
            # Sound may end last; FFmpeg reads all streams in any case.
            for packet in self._container.demux():
                end = _end_of(packet)
                self._end_of_all = max(self._end_of_all, end)
                # PyAV marks the end of a stream by an empty packet.
                if packet.stream is not self._stream or not packet.size:
                    continue
                self._num += 1
                self._end = max(self._end, end)
                if packet.is_corrupt:
                    self._damage.note('incomplete data', packet.pts)
                yield packet
        except av.error.FFmpegError as error:
            self._damage.note(_reason(error))
        yield None

    def are_fewer_than_said(self, step: float) -> bool:
        """Whether a header or index promised more than what came.

        Of an MP4 the index names every packet, of other files some at most. The header of an AVI
        has the number of ticks. Where a duration is known of the container alone it stands in its
        header (Matroska, WebM, FLV); otherwise FFmpeg made it from what is there.

        Args:
            step (float): Seconds a frame.
        """
        slack, stream = 3 * step, self._stream
        if self._num < len(stream.index_entries):
            return True
        if self._container.format.name == 'avi':
            length = float(stream.frames * stream.time_base)
            return self._end + slack < length
        duration = self._container.duration
        return stream.duration is None and duration is not None and self._end_of_all + slack < duration / av.time_base


def _end_of(packet: 'av.Packet') -> float:
    """Seconds at which the last thing in it ends."""
    time = packet.dts if packet.pts is None else packet.pts
    if time is None:
        return 0.0
    return float((time + (packet.duration or 0)) * packet.time_base)


def _decode_packet(
    stream: 'av.video.stream.VideoStream', packet: Optional['av.Packet'], damage: _Damage
) -> list['av.VideoFrame']:
    """Frames that are ready; the last ones for no packet."""
    try:
        return stream.decode(packet)
    except av.error.EOFError:
        return []
    except av.error.FFmpegError as error:
        damage.note(_reason(error), packet.pts if packet else None)
        return []


def _to_bgr(picture: 'av.VideoFrame') -> np.ndarray:
    """(H, W, 3) uint8 BGR, turned as its metadata say."""
    image = picture.to_ndarray(format='bgr24')
    turns = round(picture.rotation / 90) % 4  # counterclockwise
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
