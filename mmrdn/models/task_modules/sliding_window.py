# Copyright (c) mmrdn contributors. All rights reserved.
"""Sliding window over a video's frames: paper Algorithm 1."""
from collections import deque
from typing import Deque, Iterator, Optional

from mmrdn.structures import FrameProposals
from .relation_memory import RelationMemory


class SlidingWindow:
    """Frames whose look-ahead is not complete yet, and their shared pool.

    When a frame is handed out, the memory holds exactly its pool: frames
    ``max(1, t - T) .. min(L, t + T)``, the frame itself included, none
    repeated.

    Args:
        memory (RelationMemory): The pool; keeps 2T + 1 frames.
        temporal_range (int): T.
    """

    def __init__(self, memory: RelationMemory, temporal_range: int) -> None:
        self.memory = memory
        self.temporal_range = temporal_range
        self._waiting: Deque[FrameProposals] = deque()

    @property
    def num_waiting(self) -> int:
        """int: Frames that came and were not handed out yet."""
        return len(self._waiting)

    def reset(self) -> None:
        """Forget everything."""
        self.memory.reset()
        self._waiting.clear()

    def push(self, frame: FrameProposals) -> Optional[FrameProposals]:
        """Take the next frame of the video.

        Returns:
            FrameProposals or None: The frame T earlier, now that its
            look-ahead is complete.
        """
        self.memory.append(frame.feats, frame.boxes, frame.scores)
        self._waiting.append(frame)
        if len(self._waiting) > self.temporal_range:
            return self._waiting.popleft()
        return None

    def flush(self) -> Iterator[FrameProposals]:
        """Hand out the frames that still wait, as the video has ended."""
        while self._waiting:
            # The first waiting frame has all waiting ones ahead, itself
            # included, and at most T behind.
            while len(self.memory) > len(self._waiting) + self.temporal_range:
                self.memory.drop_oldest()
            yield self._waiting.popleft()
        self.reset()
