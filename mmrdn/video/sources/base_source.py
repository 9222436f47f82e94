# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator

from mmrdn.structures.frame import Frame

DEFAULT_FPS = 25.0  # of frames that come without times


class BaseSource(ABC):
    """The frames of a video, in order.

    A source leaves out what it cannot read, with one warning, and records it in ``skipped`` or
    ``truncated``. Readings are independent, so a second one may begin before the first has ended;
    what any of them met stays recorded.

    Args:
        name (str): Name in messages.
        max_frames (int, optional): Number of frames to stop after.

    Attributes:
        fps (float or None): Frames a second, if known.
        num_frames (int or None): Number of frames to expect, if known.
        rereadable (bool): Whether it can be read from its beginning again.
        skipped (list[str]): Paths that were left out.
        truncated (bool): Whether damage was met.
    """

    fps: float | None = None
    num_frames: int | None = None
    rereadable = True

    def __init__(self, name: str, max_frames: int | None = None) -> None:
        if max_frames is not None and max_frames < 1:
            raise ValueError(f'max_frames must be 1 or more, got {max_frames}')
        self.name = name
        self.max_frames = max_frames
        self.skipped: list[str] = []
        self.truncated = False
        self._was_read = False

    def __iter__(self) -> Iterator[Frame]:
        """Read the video from its beginning.

        Yields:
            Frame: The next frame.

        Raises:
            ValueError: It has no frame, or is broken; names it.
        """
        if self._was_read and not self.rereadable:
            raise ValueError(f'{self.name} can be read once only')
        self._was_read = True
        count = 0
        frames = self._frames()
        try:
            for frame in itertools.islice(frames, self.max_frames):
                count += 1
                yield frame
        finally:
            frames.close()
        if not count:
            raise ValueError(f'{self.name} has no frames that can be read')

    @abstractmethod
    def _frames(self) -> Iterator[Frame]:
        """Generate all frames."""

    def _expect(self, num_frames: int | None) -> None:
        """Set how many frames there are, if known."""
        if num_frames and self.max_frames:
            num_frames = min(num_frames, self.max_frames)
        self.num_frames = num_frames or None

    def _leave_out(self, path: str, message: str) -> None:
        """Record a file that cannot be read, and warn once."""
        if path not in self.skipped:
            self.skipped.append(path)
            warnings.warn(message, stacklevel=2)

    def _record_damage(self, message: str) -> None:
        """Record that frames are missing or wrong, and warn once."""
        if not self.truncated:
            self.truncated = True
            warnings.warn(message, stacklevel=2)
