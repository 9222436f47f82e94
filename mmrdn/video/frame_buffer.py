# Copyright (c) mmrdn contributors. All rights reserved.
from collections import deque

import numpy as np

from mmrdn.structures.frame import Frame


class FrameBuffer:
    """Frames that wait for their results, which come late and in order.

    Args:
        num_behind (int): Frames kept after their result came, so that a later frame can be shown
            beside them.
    """

    def __init__(self, num_behind: int = 0) -> None:
        self.num_behind = num_behind
        self._frames: deque[Frame] = deque()
        self._num_done = 0  # of those kept, the oldest

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def num_waiting(self) -> int:
        """int: Frames whose result has not come."""
        return len(self._frames) - self._num_done

    def add(self, frame: Frame) -> None:
        """Take the next frame of the video."""
        self._frames.append(frame)

    def take(self) -> tuple[Frame, dict[int, np.ndarray | None]]:
        """Hand out the next frame, as its result has come.

        Returns:
            tuple: The frame, and the images that are kept by their place
            relative to it (negative: before it).
        """
        frame = self._frames[self._num_done]
        images = {other.index - frame.index: other.image for other in self._frames}
        self._num_done += 1
        while self._num_done > self.num_behind:
            self._frames.popleft()
            self._num_done -= 1
        return frame, images
