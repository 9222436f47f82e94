# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterator

from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.sliding_window import SlidingWindow
from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class RepeatedFrameWindow(SlidingWindow):
    """A window that is full at the ends of a video too.

    Where frames before the first one and behind the last one are missing, these two stand in for
    them: the pool of frame t is always that of T + 1 frames and the look-ahead, ``min(max(t + k,
    1), L)`` for k = -T .. T, as in public re-implementations. Copies weigh in the softmax of Eq. 1
    as often as they are there; recorders record the weights of the first copy alone.
    """

    def admit(self, frame: FrameProposals) -> FrameProposals | None:
        """See :class:`SlidingWindow`; the first frame enters T + 1 times."""
        ready = super().admit(frame)
        if self._num_frames == 1:
            for _ in range(self.temporal_range):
                self._add_to_pool(frame)
        return ready

    def flush(self) -> Iterator[FrameProposals]:
        """Hand out the frames that still wait, as the video has ended."""
        ahead = self.num_waiting - 1
        while self._waiting:
            last = self._waiting[-1]
            for _ in range(self.lookahead - ahead):
                self._add_to_pool(last)
            yield self._waiting.popleft()
            ahead = self.lookahead - 1
        self.reset()
