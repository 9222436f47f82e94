# Copyright (c) mmrdn contributors. All rights reserved.
from collections import deque
from collections.abc import Iterator, Sequence

from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.relation_memory import RelationMemory
from mmrdn.models.memory.sliding_window import SlidingWindow
from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class RepeatedFrameWindow(SlidingWindow):
    """A window that is full at the ends of a video too.

    Where frames before the first one and behind the last one are missing, these two stand in for
    them: the pool of frame t is always that of T + 1 frames and the look-ahead, ``min(max(t + k,
    1), L)`` for k = -T .. T, as in public re-implementations. Copies weigh in the softmax of Eq. 1
    as often as they are there; recorders note the weights of the first copy alone.

    Args:
        memory (RelationMemory): See :class:`SlidingWindow`.
        temporal_range (int): T.
        lookahead (int, optional): Frames ahead that a frame waits for; T if not given.
    """

    def __init__(self, memory: RelationMemory, temporal_range: int, lookahead: int | None = None) -> None:
        super().__init__(memory, temporal_range, lookahead)
        self._num_frames = 0
        # Which frame of the video each frame of the pool is.
        self._numbers: deque[int] = deque(maxlen=memory.max_frames)

    def offsets(self) -> Sequence[int]:
        """Frames of the pool, counted from the one handed out last.

        Returns:
            list[int]: From the oldest (negative) to the newest; copies have
            the number of what they are copies of.
        """
        current = self._num_frames - self.num_waiting - 1
        return [number - current for number in self._numbers]

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self._num_frames = 0
        self._numbers.clear()

    def _keep(self, frame: FrameProposals) -> None:
        super()._keep(frame)
        self._numbers.append(self._num_frames - 1)

    def push(self, frame: FrameProposals) -> FrameProposals | None:
        """See :class:`SlidingWindow`; the first frame enters T + 1 times."""
        self._num_frames += 1
        if self._num_frames == 1:
            for _ in range(self.temporal_range):
                self._keep(frame)
        return super().push(frame)

    def flush(self) -> Iterator[FrameProposals]:
        """Hand out the frames that still wait, as the video has ended."""
        ahead = self.num_waiting - 1
        last = self._waiting[-1] if self._waiting else None
        while self._waiting:
            while ahead < self.lookahead:
                self._keep(last)
                ahead += 1
            yield self._waiting.popleft()
            ahead -= 1
        self.reset()
