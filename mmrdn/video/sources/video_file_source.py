# Copyright (c) mmrdn contributors. All rights reserved.
"""Video files, and the decoding with PyAV that live streams share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from mmrdn.fileio.video_files import open_container, reason_of, to_bgr
from mmrdn.structures.frame import Frame
from mmrdn.video.sources.base_source import DEFAULT_FPS, BaseSource


class VideoFileSource(BaseSource):
    """A video file of any kind that FFmpeg reads.

    Frames have the times that the file gives them, and are turned as the file's display matrix
    says. Where a part is missing or damaged the frames that decode are given, with one warning.

    Args:
        path (str or Path): The file.
        max_frames (int, optional): Number of frames to stop after.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, or no video.
    """

    def __init__(self, path: str | Path, max_frames: int | None = None) -> None:
        super().__init__(str(path), max_frames)
        if not os.path.isfile(path):
            raise FileNotFoundError(f'video {path} does not exist')
        if not os.path.getsize(path):
            raise ValueError(f'video {path} is empty')
        container, stream = self._open()
        with container:
            rate = stream.guessed_rate
            self.fps = float(rate) if rate else None
            num_frames = stream.frames
            if not num_frames and container.duration and self.fps:
                num_frames = round(container.duration / av.time_base * self.fps)
            self._expect(num_frames)

    def _open(self) -> tuple[InputContainer, VideoStream]:
        # The prefix keeps FFmpeg from taking "a:b.mp4" for a protocol.
        return open_container(f'file:{self.name}', f'video {self.name}')

    def _frames(self) -> Iterator[Frame]:
        container, stream = self._open()
        with container:
            yield from Decoder(container, stream, self._damaged)

    def _damaged(self, num_before: int, reason: str) -> None:
        self._record_damage(
            f'video {self.name} is truncated or damaged at frame {num_before} ({reason}): what decodes is used'
        )


class Decoder:
    """One reading of a video stream, which continues after damaged parts.

    Damage is reported once its frame number is known, because frames come out of the decoder later
    than packets go in.

    Args:
        container (InputContainer): An open container.
        stream (VideoStream): Its video stream.
        damaged (callable): Called for the first damage with the number of frames before it and the
            reason.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, damaged: Callable[[int, str], None]) -> None:
        self._container = container
        self._stream = stream
        self._tell = damaged
        self._step = float(1 / (stream.guessed_rate or DEFAULT_FPS))  # seconds
        self._num_frames = 0
        self._num_packets = 0
        self._end = 0.0  # seconds, of the video stream
        self._end_of_all = 0.0  # seconds, of all streams
        self._damage: tuple[str, int | None] | None = None  # reason and time stamp, None for the end
        self._told = False

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, with times that never go back."""
        offset, time = None, -self._step
        for packet in self._packets():
            for decoded in self._decode_packet(packet):
                if decoded.pts is None:
                    time += self._step
                else:
                    stamp = float(decoded.pts * self._stream.time_base)
                    if offset is None or stamp + offset < time:
                        # The first frame, or a clock that restarts.
                        offset = time + self._step - stamp
                    time = stamp + offset
                if decoded.is_corrupt:  # the decoder guessed a part of it
                    self._record('incomplete data', decoded.pts)
                self._tell_damage(decoded.pts)
                yield Frame(to_bgr(decoded), self._num_frames, time)
                self._num_frames += 1
        if self._lacks_packets():
            self._record('the end is missing')
        self._tell_damage(None)

    def _packets(self) -> Iterator[av.Packet | None]:
        """Yield the packets of the video stream, and None at the end."""
        try:
            # Sound may end last; FFmpeg reads all streams in any case.
            for packet in self._container.demux():
                end = _end_of(packet)
                self._end_of_all = max(self._end_of_all, end)
                # PyAV marks the end of a stream by an empty packet.
                if packet.stream is not self._stream or not packet.size:
                    continue
                self._num_packets += 1
                self._end = max(self._end, end)
                if packet.is_corrupt:
                    self._record('incomplete data', packet.pts)
                yield packet
        except av.error.FFmpegError as error:
            self._record(reason_of(error))
        yield None

    def _decode_packet(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        """Return the frames that are ready; the last ones for None."""
        try:
            return self._stream.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self._record(reason_of(error), packet.pts if packet else None)
            return []

    def _lacks_packets(self) -> bool:
        """Return whether a header or index promised more than what came.

        The index of an MP4 names every packet, that of other files some at most. The header of an
        AVI has the number of ticks. Where a duration is known of the container alone it stands in
        its header (Matroska, WebM, FLV); otherwise FFmpeg made it from what is there.
        """
        slack, stream = 3 * self._step, self._stream
        if self._num_packets < len(stream.index_entries):
            return True
        if self._container.format.name == 'avi':
            return self._end + slack < float(stream.frames * stream.time_base)
        duration = self._container.duration
        return stream.duration is None and duration is not None and self._end_of_all + slack < duration / av.time_base

    def _record(self, reason: str, pts: int | None = None) -> None:
        """Record damage at a time stamp, at the end if None; only the first counts."""
        self._damage = self._damage or (reason, pts)

    def _tell_damage(self, pts: int | None) -> None:
        """Tell damage before the frame of that time stamp, None for the end."""
        if self._damage is None or self._told:
            return
        reason, damaged_pts = self._damage
        if pts is None or damaged_pts is not None and pts >= damaged_pts:
            self._tell(self._num_frames, reason)
            self._told = True


def _end_of(packet: av.Packet) -> float:
    """Return the seconds at which the last frame or sample of a packet ends."""
    time = packet.dts if packet.pts is None else packet.pts
    if time is None:
        return 0.0
    return float((time + (packet.duration or 0)) * packet.time_base)
