# Copyright (c) mmrdn contributors. All rights reserved.
import os
from collections.abc import Iterator
from pathlib import Path

from mmrdn.structures.frame import Frame
from mmrdn.video.sources.av_frames import decode, open_container
from mmrdn.video.sources.base_source import BaseSource


class VideoFileSource(BaseSource):
    """A video file of any kind that FFmpeg reads.

    Frames have the times that the file gives them, and stand as the file's display matrix says.
    Where a part is missing or damaged the frames that decode are given, with one warning.

    Args:
        path (str or Path): The file.
        max_frames (int, optional): Stop after so many.

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
                num_frames = round(container.duration / 1e6 * self.fps)
            self._expect(num_frames)

    def _open(self):
        # The prefix keeps FFmpeg from taking "a:b.mp4" for a protocol.
        return open_container(f'file:{self.name}', f'video {self.name}')

    def _frames(self) -> Iterator[Frame]:
        container, stream = self._open()
        with container:
            yield from decode(container, stream, self._damaged)

    def _damaged(self, num_before: int, reason: str) -> None:
        self._note_damage(
            f'video {self.name} is truncated or damaged at frame {num_before} ({reason}): what decodes is used'
        )
