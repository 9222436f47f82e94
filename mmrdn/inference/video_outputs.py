# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import os.path as osp
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmrdn.structures import Frame, FrameDetections
from mmrdn.utils.interrupts import hold_interrupts
from mmrdn.video import (
    BaseSource,
    BaseWriter,
    CocoVidWriter,
    ImageFolderWriter,
    JsonLinesWriter,
    MotWriter,
    StdoutWriter,
    VideoWriter,
)
from mmrdn.visualization import FrameDrawer
from mmrdn.visualization.font import check_glyphs

PathLike = str | Path | None


@dataclass
class VideoSummary:
    """The result of a run over a video, counted frame by frame.

    Attributes:
        frames (int): Number of frames with results.
        seconds (float): Duration of the run.
        truncated (bool): Whether damage of the video cost frames.
        skipped (list[str]): Paths of images that could not be read.
        outputs (list[Path]): Files and directories that were written.
        detections (int): Number of detections that reach the score threshold.
        highest_score (float, optional): Highest score of a detection, whether it reaches the threshold
            or not; None without detections.
    """

    frames: int = 0
    seconds: float = 0.0
    truncated: bool = False
    skipped: list[str] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    detections: int = 0
    highest_score: float | None = None

    def add(self, detections: FrameDetections, score_thr: float) -> FrameDetections:
        """Count a frame; return a copy with the detections that reach the threshold."""
        kept = detections.above(score_thr)
        self.frames += 1
        self.detections += len(kept)
        if len(detections):
            highest = float(detections.scores.max())
            self.highest_score = highest if self.highest_score is None else max(highest, self.highest_score)
        return kept

    def warn_if_none(self, name: str, score_thr: float) -> None:
        """Warn with the highest score if there were frames, but no detection reached the threshold.

        Args:
            name (str): Name of the video.
            score_thr (float): The threshold.
        """
        if self.frames and not self.detections:
            highest = 'no detection at all' if self.highest_score is None else f'highest {self.highest_score:.2g}'
            warnings.warn(f'{name}: 0 detections above {score_thr:g}, {highest}')

    def __str__(self) -> str:
        words = f'{self.frames} frame{"s" if self.frames != 1 else ""}'
        if self.seconds:
            words += f' in {self.seconds:.1f} s ({self.frames / self.seconds:.1f} a second)'
        if self.skipped:
            words += f', {len(self.skipped)} left out'
        return f'{words}: {", ".join(map(str, self.outputs)) or "nothing"}'


class VideoOutputs:
    """The files that a run writes: checked at once, opened together, ended together.

    A context manager once :meth:`open` was called.

    Args:
        out_video (str or Path, optional): ``.mp4`` with boxes drawn.
        out_json (str or Path, optional): ``.jsonl``, a line a frame, ``-`` for the same to standard
            output, or ``.json``, COCO-VID.
        out_mot (str or Path, optional): MOTChallenge text.
        out_images (str or Path, optional): Directory of images with boxes drawn.
        overwrite (bool): Whether they may be there already.
        scale (int, optional): Factor by which images are drawn larger; None makes small ones large
            enough for labels, see :func:`fit_scale`.
        font (str or Path, optional): Font file of class names, see :class:`FrameDrawer`.

    Attributes:
        summary (VideoSummary): Summary of what is written so far; its outputs are known at the end.

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
        font: PathLike = None,
    ) -> None:
        if scale is not None and (not isinstance(scale, int) or scale < 1):
            raise ValueError(f'scale must be 1, 2 or more, got {scale!r}')
        paths = dict(out_video=out_video, out_json=out_json, out_mot=out_mot, out_images=out_images)
        self.paths = {key: Path(path) for key, path in paths.items() if path is not None}
        self.overwrite = overwrite
        self.scale = scale
        self.font = None if font is None else str(font)
        check_glyphs((), self.font)
        self.summary = VideoSummary()
        self._writers: dict[str, BaseWriter] = {}
        if not self.paths:
            raise ValueError(
                'no output asked for: give at least one of out_video, out_json, out_mot and out_images '
                '(--out-video and so on)'
            )
        if len({path.absolute() for path in self.paths.values()}) < len(self.paths):
            raise ValueError(f'outputs must have different names, got {", ".join(map(str, self.paths.values()))}')
        for key, path in self.paths.items():
            _writer_type(key, path).refuse_existing(path, overwrite)

    @property
    def draws(self) -> bool:
        """bool: Whether frames are needed in pixels."""
        return 'out_video' in self.paths or 'out_images' in self.paths

    def open(self, source: BaseSource, classes: Sequence[str], score_thr: float) -> 'VideoOutputs':
        """Open all of them.

        Args:
            source (BaseSource): Video that the frames come from.
            classes (Sequence[str]): Class names.
            score_thr (float): Score below which detections are neither written nor drawn.

        Returns:
            VideoOutputs: This object, to be entered as a context manager.
        """
        for path in self.paths.values():
            if osp.exists(source.name) and osp.exists(path) and osp.samefile(source.name, path):
                raise ValueError(f'{path} is the input, choose another name')
        self._source, self._score_thr = source, score_thr
        self._drawer = FrameDrawer(classes, score_thr, font=self.font)
        needs = {
            VideoWriter: dict(fps=source.fps),
            JsonLinesWriter: dict(classes=classes),
            StdoutWriter: dict(classes=classes),
            CocoVidWriter: dict(classes=classes, video=Path(source.name).name),
        }
        try:
            for key, path in self.paths.items():
                kind = _writer_type(key, path)
                self._writers[key] = kind(path, overwrite=self.overwrite, **needs.get(kind, {}))
        except BaseException:
            for writer in self._writers.values():
                writer.abort()
            raise
        return self

    def __enter__(self) -> 'VideoOutputs':
        return self

    def __exit__(self, *error) -> None:
        """End all of them, also if one fails, and complete the summary; changes nothing the second time."""
        failures = []
        with hold_interrupts():
            for writer in self._writers.values():
                try:
                    writer.__exit__(*error)
                except Exception as failure:
                    failures.append(failure)
        self.summary.truncated, self.summary.skipped = self._source.truncated, list(self._source.skipped)
        self.summary.outputs = [writer.path for writer in self._writers.values() if writer.num_frames]
        if failures:
            raise failures[0]

    def write(
        self, frame: Frame, detections: FrameDetections, supports: Mapping[int, np.ndarray] | None = None
    ) -> None:
        """Write a frame to all of them.

        Args:
            frame (Frame): The frame, with its image if anything is drawn.
            detections (FrameDetections): Its detections of any score; number, time and file name are
                those of the frame.
            supports (Mapping[int, np.ndarray], optional): Images to show beside it, by their offset
                in frames from it.
        """
        with hold_interrupts():
            kept = self.summary.add(detections, self._score_thr)
            detections = replace(kept, frame_id=frame.index, file_name=frame.name, time=frame.time)
            if self.draws:
                scale = self.scale or fit_scale(*frame.image.shape[:2])
                drawn = replace(self._drawer, scale=scale).draw(frame.image, detections, supports)
            for key, writer in self._writers.items():
                if key == 'out_video':
                    writer.write(drawn, frame.time)
                elif key == 'out_images':
                    writer.write(drawn, frame)
                else:
                    writer.write(detections)

    def write_all(
        self,
        results: Generator[tuple[FrameDetections, Frame, Mapping], None, None],
        labels: Sequence[int] | None = None,
        with_supports: bool = False,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        """Write frames to all of them and end them.

        Args:
            results (Generator): Detections of a frame, the frame, and images to show beside it.
            labels (Sequence[int], optional): Labels of the classes that are wanted; all if not given.
            with_supports (bool): Whether to show the images.
            progress (callable, optional): Function called after each frame with the number of
                frames done and of all frames, None if not known.

        Raises:
            KeyboardInterrupt: After Ctrl-C, once the files are complete with the frames that are done;
                says how many and which files.
        """
        try:
            with self, contextlib.closing(results):
                for found, frame, images in results:
                    self.write(frame, found.of_labels(labels), images if with_supports else None)
                    if progress is not None:
                        progress(self.summary.frames, self._source.num_frames)
        except KeyboardInterrupt as interrupt:
            self.__exit__(KeyboardInterrupt, interrupt, None)  # it may have come as the block was left
            raise KeyboardInterrupt(f'interrupted after {self.summary}') from None


def _writer_type(key: str, path: Path) -> type[BaseWriter]:
    """Return the class that writes an output, by the output's option and name."""
    if key == 'out_json' and str(path) == '-':
        return StdoutWriter
    if key in ('out_mot', 'out_images'):
        return MotWriter if key == 'out_mot' else ImageFolderWriter
    kinds = {'.mp4': VideoWriter} if key == 'out_video' else {'.jsonl': JsonLinesWriter, '.json': CocoVidWriter}
    if path.suffix.lower() not in kinds:
        raise ValueError(f'{key} must end in {" or ".join(kinds)}, got {path}')
    return kinds[path.suffix.lower()]


def fit_scale(height: int, width: int) -> int:
    """Return the integer factor that makes room for labels in a small image.

    The shorter side becomes 480 pixels at most, the longer one 1280.
    """
    return max(1, min(480 // min(height, width), 1280 // max(height, width)))
