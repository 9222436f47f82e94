# Copyright (c) mmrdn contributors. All rights reserved.
import sys
from collections.abc import Sequence
from pathlib import Path

from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.video.writers.base_writer import BaseWriter
from mmrdn.video.writers.json_lines_writer import to_json_line


class StdoutWriter(BaseWriter):
    """The lines of :class:`JsonLinesWriter` on standard output.

    Args:
        path (str or Path): ``-``.
        classes (Sequence[str]): Class names.
        overwrite (bool): Not read.
    """

    def __init__(self, path: str | Path, classes: Sequence[str], overwrite: bool = False) -> None:
        super().__init__(path, overwrite)
        self.classes = classes

    @staticmethod
    def refuse_existing(path: str | Path, overwrite: bool = False) -> None:
        """Nothing is in the way."""

    def write(self, detections: FrameDetections) -> None:
        """Add a frame."""
        print(to_json_line(detections, self.classes), flush=True)
        self.num_frames += 1

    def _finish(self) -> None:
        """Nothing to do."""

    def _publish(self) -> None:
        """Nothing to do."""

    def _discard(self) -> None:
        sys.stdout.flush()
