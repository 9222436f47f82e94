# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterator
from typing import IO

import numpy as np

from mmrdn.structures.frame import Frame
from mmrdn.video.sources.base_source import DEFAULT_FPS, BaseSource


class RawSource(BaseSource):
    """Raw BGR24 frames from a pipe.

    A pipe that ends inside a frame counts as truncated; inside the first one it is a ValueError.

    Args:
        size (tuple[int, int]): Width and height in pixels.
        file (IO, optional): Binary file to read; standard input if not given.
        max_frames (int, optional): Number of frames to stop after.
        fps (float): Frames a second.
    """

    rereadable = False

    def __init__(
        self,
        size: tuple[int, int],
        file: IO[bytes] | None = None,
        max_frames: int | None = None,
        fps: float = DEFAULT_FPS,
    ) -> None:
        super().__init__('stdin' if file is None else str(getattr(file, 'name', 'raw frames')), max_frames)
        if min(size) < 1:
            raise ValueError(f'size must be a width and a height of 1 pixel or more, got {size[0]}x{size[1]}')
        self.size = size
        self.fps = fps
        self._file = file
        self._expect(max_frames)

    def _frames(self) -> Iterator[Frame]:
        # Unbuffered: a thread that waits in a buffered read of stdin keeps Python from exiting.
        file = self._file or open(0, 'rb', buffering=0, closefd=False)
        width, height = self.size
        index = 0
        while True:
            image = np.empty((height, width, 3), np.uint8)
            num_bytes = _fill(file, memoryview(image).cast('B'))
            if not num_bytes:
                return
            if num_bytes < image.nbytes:
                message = (
                    f'{self.name} ends inside frame {index}: got {num_bytes} bytes, '
                    f'expected {image.nbytes} for {width}x{height} BGR24'
                )
                if not index:
                    raise ValueError(message)
                return self._record_damage(message)
            yield Frame(image, index, index / self.fps)
            index += 1


def _fill(file: IO[bytes], target: memoryview) -> int:
    """Read until the target is full or the file ends; return the number of bytes."""
    done = 0
    while done < len(target):
        num = file.readinto(target[done:])
        if not num:
            break
        done += num
    return done
