# Copyright (c) mmrdn contributors. All rights reserved.
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.video.writers.base_writer import BaseWriter


class JsonLinesWriter(BaseWriter):
    """A file with one line of JSON a frame, written as soon as the frame is done.

    Unlike the other writers it grows under its final name: each line stands for itself, so those of
    a run that was killed are of use, and the file can be followed while it grows. A line is written
    as a whole or, where the disk is full, taken back. Without any frame the file stays as
    it was.

    Args:
        path (str or Path): The file.
        classes (Sequence[str]): Class names.
        overwrite (bool): Whether it may be there already.
    """

    def __init__(self, path: str | Path, classes: Sequence[str], overwrite: bool = False) -> None:
        super().__init__(path, overwrite)
        self.classes = classes
        self._is_new = not self.path.exists()
        self._file = open(self.path, 'ab', buffering=0)
        self._num_bytes = 0

    def write(self, detections: FrameDetections) -> None:
        """Write a frame."""
        line = to_json_line(detections, self.classes)
        if not self.num_frames:
            self._file.truncate(0)
        self._write_whole(line.encode() + b'\n')
        self.num_frames += 1

    def _write_whole(self, line: bytes) -> None:
        """Write the line, or leave the file as it was."""
        try:
            done = 0
            while done < len(line):
                done += self._file.write(line[done:])
        except BaseException:
            self._file.truncate(self._num_bytes)
            raise
        self._num_bytes += len(line)

    def _finish(self) -> None:
        self._file.close()

    def _publish(self) -> None:
        """Do nothing: the file has its final name."""

    def _discard(self) -> None:
        self._file.close()
        if self._is_new and not self.num_frames:
            self.path.unlink(missing_ok=True)


class StdoutWriter(BaseWriter):
    """The lines of :class:`JsonLinesWriter` on standard output.

    Args:
        path (str or Path): ``-``.
        classes (Sequence[str]): Class names.
        overwrite (bool): Without effect.
    """

    def __init__(self, path: str | Path, classes: Sequence[str], overwrite: bool = False) -> None:
        super().__init__(path, overwrite)
        self.classes = classes

    @staticmethod
    def refuse_existing(path: str | Path, overwrite: bool = False) -> None:
        """Do nothing: standard output is always free."""

    def write(self, detections: FrameDetections) -> None:
        """Print a frame."""
        print(to_json_line(detections, self.classes), flush=True)
        self.num_frames += 1

    def _publish(self) -> None:
        """Do nothing."""

    def _discard(self) -> None:
        sys.stdout.flush()


def to_json_line(detections: FrameDetections, classes: Sequence[str]) -> str:
    """Return the detections of a frame as JSON, without a line's end.

    Args:
        detections (FrameDetections): Detections of the frame.
        classes (Sequence[str]): Class names.
    """
    found = []
    for box, score, label, track in detections:
        found.append(dict(bbox=box, score=score, label=label))
        found[-1]['class'] = classes[label]
        if track is not None:
            found[-1]['track_id'] = track
    line = dict(frame=detections.frame_id)
    if detections.file_name:
        line['name'] = detections.file_name
    line.update(time=round(detections.time, 6), width=detections.width, height=detections.height, detections=found)
    return json.dumps(line, allow_nan=False)
