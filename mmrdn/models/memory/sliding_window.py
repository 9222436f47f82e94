# Copyright (c) mmrdn contributors. All rights reserved.
"""Sliding window over a video's frames: paper Algorithm 1.

Deviations from the paper, off by default: a ``lookahead`` below T, down to 0 for online detection,
shows fewer frames ahead.
"""

from collections import deque
from collections.abc import Iterator

from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.relation_memory import RelationMemory
from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class SlidingWindow:
    """Frames whose look-ahead is not complete yet, and their shared pool.

    When a frame is handed out, the memory holds exactly its pool: frames ``max(1, t - T) .. min(L,
    t + T)``, the frame itself included, none repeated.

    Args:
        memory (RelationMemory): Pool of T + 1 frames and the look-ahead, 2T + 1 frames by default.
        temporal_range (int): T, in frames.
        lookahead (int, optional): Number of frames ahead that a frame waits for; T if not given.
    """

    def __init__(self, memory: RelationMemory, temporal_range: int, lookahead: int | None = None) -> None:
        self.memory = memory
        self.temporal_range = temporal_range
        self.lookahead = temporal_range if lookahead is None else lookahead
        self._waiting: deque[FrameProposals] = deque()
        self._num_frames = 0  # admitted so far
        # Index in the video and scale factor of each frame of the pool, oldest first.
        self._pool: deque[tuple[int, tuple | None]] = deque(maxlen=memory.max_frames)

    @property
    def num_waiting(self) -> int:
        """int: Frames that were admitted and not handed out yet."""
        return len(self._waiting)

    @property
    def next_frame(self) -> FrameProposals | None:
        """FrameProposals or None: The one after that handed out last."""
        return self._waiting[0] if self._waiting else None

    @property
    def scale_factors(self) -> list[tuple | None]:
        """list[tuple or None]: Scale factor of each frame of the pool, oldest first."""
        return [scale for _, scale in self._pool]

    def offsets(self) -> list[int]:
        """Return the frames of the pool, counted from the one handed out last.

        Returns:
            list[int]: Offsets in frames, from the oldest (negative) to the newest; a copy of a
            frame has the offset of that frame.
        """
        current = self._num_frames - self.num_waiting - 1
        return [index - current for index, _ in self._pool]

    def columns(self, offset: int) -> slice:
        """Return where the pool holds the supports of a frame.

        Args:
            offset (int): Offset of the frame from the one handed out last, in frames.

        Returns:
            slice: Rows of the pool, of the first copy if there are several;
            empty if the frame is not in it.
        """
        offsets, nums = self.offsets(), self.memory.num_per_frame
        if offset not in offsets:
            return slice(0, 0)
        index = offsets.index(offset)
        start = sum(nums[:index])
        return slice(start, start + nums[index])

    def reset(self) -> None:
        """Forget everything."""
        self.memory.reset()
        self._waiting.clear()
        self._num_frames = 0
        self._pool.clear()

    def admit(self, frame: FrameProposals) -> FrameProposals | None:
        """Take the next frame of the video.

        Returns:
            FrameProposals or None: The frame whose look-ahead is complete
            now, T frames earlier by default.
        """
        self._num_frames += 1
        self._add_to_pool(frame)
        self._waiting.append(frame)
        if len(self._waiting) > self.lookahead:
            return self._waiting.popleft()
        return None

    def flush(self) -> Iterator[FrameProposals]:
        """Hand out the frames that still wait, as the video has ended."""
        while self._waiting:
            # The first waiting frame has all waiting ones ahead, itself included, and at most T
            # behind.
            while len(self.memory) > len(self._waiting) + self.temporal_range:
                self.memory.drop_oldest()
                self._pool.popleft()
            yield self._waiting.popleft()
        self.reset()

    def _add_to_pool(self, frame: FrameProposals) -> None:
        """Add the frame that was admitted last to the pool."""
        self.memory.append(frame.feats, frame.boxes, frame.scores)
        self._pool.append((self._num_frames - 1, frame.data_sample.metainfo.get('scale_factor')))
