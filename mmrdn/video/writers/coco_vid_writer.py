# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmrdn.fileio.predictions import write_predictions
from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.video.writers.base_writer import BaseWriter


class CocoVidWriter(BaseWriter):
    """A file in COCO-VID JSON: one video, its frames, and annotations with scores.

    It is written at the end, so it keeps the detections of all frames; for streams without an end
    there is :class:`JsonLinesWriter`.

    Args:
        path (str or Path): The file.
        classes (Sequence[str]): Class names; category i + 1 is class i.
        overwrite (bool): Whether it may be there already.
        video (str): Name of the video.
    """

    def __init__(self, path: str | Path, classes: Sequence[str], overwrite: bool = False, video: str = '') -> None:
        super().__init__(path, overwrite)
        self.partial.touch(exist_ok=False)  # whether it can be written shows now
        self._head: dict[str, list] = dict(
            categories=[dict(id=i + 1, name=name) for i, name in enumerate(classes)],
            videos=[dict(id=1, name=video or self.path.stem)],
            images=[],
        )
        self._frames: list[FrameDetections] = []

    def write(self, detections: FrameDetections) -> None:
        """Write a frame, at the end of the run."""
        self.num_frames += 1
        self._head['images'].append(
            dict(
                id=self.num_frames,
                file_name=detections.file_name or f'{detections.frame_id:06d}',
                width=detections.width,
                height=detections.height,
                video_id=1,
                frame_id=detections.frame_id,
                time=round(detections.time, 6),
            )
        )
        self._frames.append(replace(detections, img_id=self.num_frames, detected=None, top_supports=None))

    def _finish(self) -> None:
        write_predictions(self.partial, self._head, self._frames)
