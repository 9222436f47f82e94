# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
from pathlib import Path

from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.video.writers.base_writer import BaseWriter


class MotWriter(BaseWriter):
    """A file in the text format of MOTChallenge, one line a detection.

    ``frame, id, x, y, width, height, score, -1, -1, -1``: frames count from 1, id is that of the
    track, -1 where boxes are not linked. The format has no room for classes.

    Args:
        path (str or Path): The file.
        overwrite (bool): Whether it may be there already.
    """

    def __init__(self, path: str | Path, overwrite: bool = False) -> None:
        super().__init__(path, overwrite)
        self._file = open(self.partial, 'x', encoding='ascii')

    def write(self, detections: FrameDetections) -> None:
        """Write a frame."""
        number = detections.frame_id + 1
        for (x1, y1, x2, y2), score, _, track in detections:
            track = -1 if track is None else track
            self._file.write(f'{number},{track},{x1:.3f},{y1:.3f},{x2 - x1:.3f},{y2 - y1:.3f},{score:.6f},-1,-1,-1\n')
        self.num_frames += 1

    def _finish(self) -> None:
        self._file.close()

    def _discard(self) -> None:
        with contextlib.suppress(OSError):  # what is buffered finds no room
            self._file.close()
        super()._discard()
