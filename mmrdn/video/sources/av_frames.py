# Copyright (c) mmrdn contributors. All rights reserved.
"""What video files and live streams share: decoding with PyAV."""
from typing import Callable, Iterator, List, Optional, Tuple

import av
import numpy as np

from ..frame import Frame
from .base_source import DEFAULT_FPS


def open_container(url: str, name: str, **kwargs) -> Tuple:
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
        raise ValueError(f'{name} is no video, or so truncated that nothing '
                         'can be read') from None
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


def decode(container: 'av.container.InputContainer',
           stream: 'av.video.stream.VideoStream',
           damaged: Callable[[int, str], None]) -> Iterator[Frame]:
    """Decode a video stream, going on where a part of it is damaged.

    Args:
        container (InputContainer): An open container.
        stream (VideoStream): Of it.
        damaged (callable): Called for the first damage with the number of
            frames before it and the reason.

    Yields:
        Frame: The next one.
    """
    step = float(1 / (stream.guessed_rate or DEFAULT_FPS))
    count, start, time = 0, None, -step
    damage = _Damage(damaged)
    packets, num_packets, reading = container.demux(stream), 0, True
    while reading:
        packet, reading = _next_packet(packets, damage)
        if packet is not None:
            num_packets += 1
            if packet.is_corrupt:
                damage.note('incomplete data', packet.pts)
        for picture in _decode_packet(stream, packet, damage):
            if picture.pts is None:
                time += step
            else:
                start = picture.pts if start is None else start
                time = float((picture.pts - start) * stream.time_base)
            if picture.is_corrupt:  # the decoder guessed a part of it
                damage.note('incomplete data', picture.pts)
            damage.tell_before(picture.pts, count)
            yield Frame(_to_bgr(picture), count, time)
            count += 1
    # Of an MP4 the index names every packet, of other files some at most.
    if num_packets < len(getattr(stream, 'index_entries', ())):
        damage.note('the end is missing')
    damage.tell_before(None, count)


class _Damage:
    """The first damage of a stream, told once its frame number is known.

    Frames come out of the decoder later than packets go in.
    """

    def __init__(self, tell: Callable[[int, str], None]) -> None:
        self._tell = tell
        self._reason: Optional[str] = None
        self._pts: Optional[int] = None
        self._told = False

    def note(self, reason: str, pts: Optional[int] = None) -> None:
        """Note damage of the packet of that time, of the end if None."""
        if self._reason is None:
            self._reason, self._pts = reason, pts

    def tell_before(self, pts: Optional[int], count: int) -> None:
        """Tell damage before the frame of that time, number `count`."""
        if self._reason is None or self._told:
            return
        if pts is None or self._pts is not None and pts >= self._pts:
            self._tell(count, self._reason)
            self._told = True


def _decode_packet(stream: 'av.video.stream.VideoStream',
                   packet: Optional['av.Packet'],
                   damage: _Damage) -> List['av.VideoFrame']:
    """Frames that are ready; the last ones for no packet."""
    try:
        return stream.decode(packet)
    except av.error.EOFError:
        return []
    except av.error.FFmpegError as error:
        damage.note(_reason(error), packet.pts if packet else None)
        return []


def _next_packet(packets: Iterator,
                 damage: _Damage) -> Tuple[Optional['av.Packet'], bool]:
    """The next packet, None at the end; and whether more may follow."""
    try:
        packet = next(packets, None)
    except av.error.FFmpegError as error:
        damage.note(_reason(error))
        packet = None
    if packet is None or packet.size == 0:  # PyAV's own mark of the end
        return None, False
    return packet, True


def _to_bgr(picture: 'av.VideoFrame') -> np.ndarray:
    """(H, W, 3) uint8 BGR, turned as its metadata say."""
    image = picture.to_ndarray(format='bgr24')
    turns = round(picture.rotation / 90) % 4  # counterclockwise
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
