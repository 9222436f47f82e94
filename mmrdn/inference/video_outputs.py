# Copyright (c) mmrdn contributors. All rights reserved.
import os.path as osp
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from mmtrack.structures import TrackDataSample

from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.utils.interrupts import hold_interrupts
from mmrdn.video import (
    BaseSource,
    BaseWriter,
    CocoVidWriter,
    Frame,
    ImageFolderWriter,
    JsonLinesWriter,
    MotWriter,
    StdoutWriter,
    VideoWriter,
)
from mmrdn.visualization import VIDVisualizer

PathLike = str | Path | None


@dataclass
class VideoSummary:
    """The result of a run over a video.

    Attributes:
        frames (int): Number of frames with results.
        seconds (float): Duration of the run.
        truncated (bool): Whether damage of the video cost frames.
        skipped (list[str]): Paths of images that could not be read.
        outputs (list[Path]): Files and directories that were written.
    """

    frames: int = 0
    seconds: float = 0.0
    truncated: bool = False
    skipped: list[str] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        words = f'{self.frames} frame{"s" if self.frames != 1 else ""}'
        if self.seconds:
            words += f' in {self.seconds:.1f} s ({self.frames / self.seconds:.1f} a second)'
        if self.skipped:
            words += f', {len(self.skipped)} left out'
        return f'{words}: {", ".join(map(str, self.outputs)) or "nothing"}'


class VideoOutputs:
    """The files that a run writes: opened together, ended together.

    Args:
        out_video (str or Path, optional): ``.mp4`` with boxes drawn.
        out_json (str or Path, optional): ``.jsonl``, a line a frame, ``-`` for the same to standard
            output, or ``.json``, COCO-VID.
        out_mot (str or Path, optional): MOTChallenge text.
        out_images (str or Path, optional): Folder of pictures with boxes.
        overwrite (bool): Whether they may be there already.
        scale (int, optional): How many times larger pictures are drawn; None makes small ones large
            enough for labels, see :func:`fit_scale`.

    Raises:
        ValueError: None is given, or a name is of no use.
        FileExistsError: One is there already.
    """

    def __init__(
        self,
        out_video: PathLike = None,
        out_json: PathLike = None,
        out_mot: PathLike = None,
        out_images: PathLike = None,
        overwrite: bool = False,
        scale: int | None = 1,
    ) -> None:
        if scale is not None and (not isinstance(scale, int) or scale < 1):
            raise ValueError(f'scale must be 1, 2 or more, got {scale!r}')
        self.scale = scale
        self.paths = dict(out_video=out_video, out_json=out_json, out_mot=out_mot, out_images=out_images)
        self.paths = {key: Path(path) for key, path in self.paths.items() if path is not None}
        self.overwrite = overwrite
        if not self.paths:
            raise ValueError(
                'no output asked for: give at least one of '
                'out_video, out_json, out_mot and out_images '
                '(--out-video and so on)'
            )
        if len({path.absolute() for path in self.paths.values()}) < len(self.paths):
            raise ValueError(f'outputs must have names of their own, got {", ".join(map(str, self.paths.values()))}')
        for key, path in self.paths.items():
            self._writer_type(key).refuse_existing(path, overwrite)

    @property
    def draws(self) -> bool:
        """bool: Whether frames are needed in pixels."""
        return 'out_video' in self.paths or 'out_images' in self.paths

    def _writer_type(self, key: str) -> type[BaseWriter]:
        """The class that writes an output, by its name."""
        path = self.paths[key]
        if key == 'out_json' and str(path) == '-':
            return StdoutWriter
        if key == 'out_json':
            kinds = {'.jsonl': JsonLinesWriter, '.json': CocoVidWriter}
        elif key == 'out_video':
            kinds = {'.mp4': VideoWriter}
        else:
            return MotWriter if key == 'out_mot' else ImageFolderWriter
        if path.suffix.lower() not in kinds:
            raise ValueError(f'{key} must end in {" or ".join(kinds)}, got {path}')
        return kinds[path.suffix.lower()]

    def open(self, source: BaseSource, classes: Sequence[str], score_thr: float) -> '_OpenOutputs':
        """Open all of them; a context manager.

        Args:
            source (BaseSource): Where the frames come from.
            classes (Sequence[str]): Class names.
            score_thr (float): Of the detections that are drawn.
        """
        for path in self.paths.values():
            if osp.exists(source.name) and osp.exists(path) and osp.samefile(source.name, path):
                raise ValueError(f'{path} is the input, choose another name')
        writers = {}
        try:
            for key in self.paths:
                writers[key] = self._open(key, source, classes)
        except BaseException:
            for writer in writers.values():
                writer.abort()
            raise
        visualizer = VIDVisualizer(classes=classes, score_thr=score_thr)

        def draw(image, *args):
            visualizer.scale = self.scale or fit_scale(*image.shape[:2])
            return visualizer.draw(image, *args)

        return _OpenOutputs(writers, draw)

    def _open(self, key: str, source: BaseSource, classes: Sequence[str]) -> BaseWriter:
        """Open the writer of an output."""
        kind = self._writer_type(key)
        kwargs = dict(overwrite=self.overwrite)
        if kind is VideoWriter:
            kwargs.update(fps=source.fps)
        if key == 'out_json':
            kwargs.update(classes=classes)
        if kind is CocoVidWriter:
            kwargs.update(video=Path(source.name).name)
        return kind(self.paths[key], **kwargs)


class _OpenOutputs:
    """Writers that were opened; see :class:`VideoOutputs`."""

    def __init__(self, writers: Mapping[str, BaseWriter], draw: Callable) -> None:
        self.writers = writers
        self._draw = draw
        self.num_frames = 0

    def __enter__(self) -> '_OpenOutputs':
        return self

    def __exit__(self, *error) -> None:
        """End all of them, also if one fails."""
        failures = []
        with hold_interrupts():
            for writer in self.writers.values():
                try:
                    writer.__exit__(*error)
                except Exception as failure:
                    failures.append(failure)
        if failures:
            raise failures[0]

    @property
    def written(self) -> list[Path]:
        """list[Path]: What holds frames."""
        return [w.path for w in self.writers.values() if w.num_frames]

    def write(self, frame: Frame, sample: TrackDataSample, supports: Mapping[int, np.ndarray] | None = None) -> None:
        """Write a frame to all of them.

        Args:
            frame (Frame): With its image, if anything is drawn.
            sample (TrackDataSample): Its detections.
            supports (Mapping[int, np.ndarray], optional): Images to show beside it, by their place
                relative to it.
        """
        detections = replace(to_frame_detections(sample), frame_id=frame.index, file_name=frame.name, time=frame.time)
        picture = None
        with hold_interrupts():
            for key, writer in self.writers.items():
                if key in ('out_video', 'out_images') and picture is None:
                    picture = self._draw(frame.image, sample, supports)
                if key == 'out_video':
                    writer.write(picture, frame.time)
                elif key == 'out_images':
                    writer.write(picture, frame)
                else:
                    writer.write(detections)
            self.num_frames += 1


def fit_scale(height: int, width: int) -> int:
    """The whole factor that makes room for labels in a small picture.

    The shorter side becomes 480 pixels at most, the longer one 1280.
    """
    return max(1, min(480 // min(height, width), 1280 // max(height, width)))
