# Copyright (c) mmrdn contributors. All rights reserved.
"""Frames on their way through a detector: read ahead, and kept until their results come."""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from mmrdn.structures.frame import Frame

Item = TypeVar('Item')


class FrameBuffer:
    """Frames that wait for their results, which are delayed and come in order.

    Args:
        num_behind (int): Number of frames kept after their result came, so that a later frame can
            be shown beside them.
    """

    def __init__(self, num_behind: int = 0) -> None:
        self.num_behind = num_behind
        self._frames: deque[Frame] = deque()
        self._num_done = 0  # of those kept, the oldest

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def num_waiting(self) -> int:
        """int: Number of frames whose result has not come."""
        return len(self._frames) - self._num_done

    def add(self, frame: Frame) -> None:
        """Add the next frame of the video."""
        self._frames.append(frame)

    def take(self) -> tuple[Frame, dict[int, np.ndarray | None]]:
        """Return the next frame, as its result has come.

        Returns:
            tuple: The frame, and the images that are kept by their offset in frames from it
            (negative: before it).
        """
        frame = self._frames[self._num_done]
        images = {other.index - frame.index: other.image for other in self._frames}
        self._num_done += 1
        while self._num_done > self.num_behind:
            self._frames.popleft()
            self._num_done -= 1
        return frame, images


def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """Run an iterator in a background thread, a few items ahead.

    Its exceptions are raised here. When this generator is closed the thread ends after the item
    that it is at, and closes the iterator.

    Args:
        items (Iterable): Items, which the thread alone reads.
        depth (int): Number of items that may wait.

    Yields:
        Any: The items in order.
    """
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    stop = threading.Event()

    def put(kind: str, value: Any = None) -> None:
        while not stop.is_set():
            try:
                return ready.put((kind, value), timeout=0.1)
            except queue.Full:
                pass

    def work() -> None:
        try:
            for item in items:
                put('item', item)
                if stop.is_set():
                    break
            put('end')
        except BaseException as error:
            put('error', error)
        finally:
            if hasattr(items, 'close'):
                items.close()

    thread = threading.Thread(target=work, name='prefetch', daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == 'error':
                raise value
            if kind == 'end':
                return
            yield value
    finally:
        stop.set()
        # A source that waits for a camera or a network may take its time.
        thread.join(timeout=1)
