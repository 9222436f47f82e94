# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import autocast
from mmtrack.models import BaseVideoDetector
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList
from torch import Tensor

from mmrdn.apis.model_loading import load_detector, model_classes, resolve_config, resolve_device
from mmrdn.evaluation.linkers import build_linker
from mmrdn.inference.linked_frames import Progress, check_rereadable, link_frames
from mmrdn.inference.rdn_streams import RDNStreams
from mmrdn.inference.reference_stream import ReferenceStream, ReferenceStreams
from mmrdn.inference.video_outputs import VideoOutputs, VideoSummary
from mmrdn.inference.video_run import as_source, detect, run_recorders
from mmrdn.models import RDN, ByteTracker
from mmrdn.models.memory import FrameProposals, Recorder
from mmrdn.models.vid.stream import VideoStream
from mmrdn.utils.building import build_part
from mmrdn.utils.checks import check_score_thr
from mmrdn.utils.dataset_configs import leaf_datasets
from mmrdn.video import BaseSource, FrameBuffer

_END = object()  # of an iterator


class VideoInferencer:
    """A detector for videos: files, directories, cameras, arrays.

    Frames pass the test pipeline of the config and the model's data preprocessor. Frames of one
    video may differ in size: boxes are in pixels of their frame, and the relation memory is kept.

    Args:
        config (str or Config): A config, its path, its name in the package (``rdn/NAME``,
            ``NAME``), or the name of an entry of the model zoo.
        checkpoint (str, optional): Path or URL (default: the published weights of the zoo entry).
        device (str, optional): Name such as ``'cuda:1'`` (default: a GPU if there is one).
        lookahead (int, optional): Number of following frames that a frame waits for, from 0
            (online) to the model's ``temporal_range`` (default: that of the model). For mmtrack's
            detectors ``ref_img_sampler`` of the config sets it, and may need the whole video (None).
        linker (dict, optional): Config of a box linker of ``mmrdn.post_processing``, for
            :meth:`__call__`.
        tracker (dict, optional): Config of a tracker, :class:`ByteTracker`, which gives boxes their
            tracks while a video runs; instead of a linker.
        amp (bool): Whether to compute in mixed precision: fp16 on a GPU, bf16 on the CPU.
        trust_checkpoint (bool): Whether to unpickle whatever the checkpoint holds.
        cfg_options (dict, optional): Changes of the config.
        model (BaseVideoDetector, optional): A built model, instead of a checkpoint.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: Config, checkpoint or options do not fit; the message names what differs.
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: str | None = None,
        lookahead: int | None = None,
        *,
        linker: dict | None = None,
        tracker: dict | None = None,
        amp: bool = False,
        trust_checkpoint: bool = False,
        cfg_options: dict | None = None,
        model: BaseVideoDetector | None = None,
    ) -> None:
        if linker is not None and tracker is not None:
            raise ValueError('give a linker or a tracker, not both: either gives boxes their tracks')
        self.tracker = tracker
        self._new_tracker()
        self.device = resolve_device(device)
        self.cfg, weights = resolve_config(config, cfg_options)
        if model is not None:
            if checkpoint is not None:
                raise ValueError('give a model or a checkpoint, not both')
            self.classes = model_classes(self.cfg, model, {})
        elif checkpoint or weights:
            model, self.classes = load_detector(self.cfg, checkpoint or weights, trust_checkpoint)
        else:
            name = 'the config' if isinstance(config, Config) else config
            raise ValueError(f'no checkpoint given, and {name} has no published weights')
        self.model = model.to(self.device).eval()
        self.amp = amp
        dataset = leaf_datasets(self.cfg.test_dataloader.dataset)[0]
        kind = RDNStreams if isinstance(model, RDN) else ReferenceStreams
        self.streams = kind(self.model, dataset, self.cfg.get('default_scope'), self.precision, lookahead)
        self.lookahead = self.streams.lookahead
        self.linker = None if linker is None else build_linker(linker)
        if self.linker is not None and self.linker.uses_relations and not self.streams.has_relations:
            raise ValueError(
                f'{type(self.linker).__name__} needs relation weights, which {type(model).__name__} does not give; '
                'TubeLinking and SeqNMS do without'
            )

    # ---------------------------------------------------------------- arrays

    def open_stream(self, name: str = '', recorders: Sequence[Recorder] = ()) -> VideoStream | ReferenceStream:
        """Begin a new video that is fed frame by frame.

        Args:
            name (str): Name of the video in messages.
            recorders (Sequence[Recorder]): Recorders of relation weights beside those of the model.
        """
        return self.streams.open(name, recorders, self._new_tracker())

    def _new_tracker(self) -> ByteTracker | None:
        """Return a tracker of one video, if its boxes shall be tracked."""
        return None if self.tracker is None else build_part(self.tracker, 'tracker', 'tracker', ByteTracker)

    def stream(self, frames: Iterable[np.ndarray]) -> Iterator[TrackDataSample]:
        """Detect in the frames of one video as they come.

        Each result is delayed by ``lookahead`` frames; the last ones come when the video ends. Frames
        are read no earlier than needed: with ``lookahead=0``, the result of frame t is yielded before
        frame t + 1 is read. Memory does not grow with the video, unless ``lookahead`` is None, as with
        mmtrack's ``test_with_adaptive_stride``, whose first frame refers to the last one: then all
        frames are read and kept before the first result. :meth:`__call__` reads files twice instead.

        Args:
            frames (Iterable[np.ndarray]): Frames, (H, W, 3) uint8 BGR each.

        Yields:
            TrackDataSample: One for each frame, in order, with
            ``pred_det_instances``: ``bboxes`` (n, 4) xyxy in pixels of the
            frame, ``scores`` (n,), ``labels`` (n,); with a tracker also ``instances_id`` (n,),
            tracks from 1, -1 for none.

        Raises:
            ValueError: A frame is invalid; names its index.
        """
        stream = self.open_stream()
        for image in frames:
            yield from stream.feed(stream.prepare(image))
        yield from stream.flush()

    def stream_many(self, videos: Sequence[Iterable[np.ndarray]]) -> Iterator[tuple[int, TrackDataSample]]:
        """Detect in several videos at once, one frame of each in turn.

        Frames of one size pass backbone and RPN in one batch. Videos may be of different lengths
        and sizes; results are those of :meth:`stream`.

        Args:
            videos (Sequence[Iterable[np.ndarray]]): Frames of each video as in :meth:`stream`.

        Yields:
            tuple[int, TrackDataSample]: Index of the video, and its next
            result.

        Raises:
            Exception: The error of one video, raised once the others have ended; that video ends where
                it occurred.
        """
        self.streams.check_several()
        streams = [self.open_stream(f'video {i}') for i in range(len(videos))]
        running = {i: iter(video) for i, video in enumerate(videos)}
        errors: list[Exception] = []
        while running:
            inputs = {}
            for i in list(running):
                try:
                    image = next(running[i], _END)
                    if image is not _END:
                        inputs[i] = streams[i].to_batch(streams[i].prepare(image))
                except Exception as error:  # of one video: the others continue
                    errors.append(error)
                    image = _END
                if image is _END:
                    del running[i]
                    yield from ((i, result) for result in streams[i].flush())
            for i, frame in sorted(self._extract_together(inputs).items()):
                yield from ((i, result) for result in streams[i].advance(frame))
        if errors:
            raise errors[0]

    def _extract_together(self, inputs: dict[int, tuple[Tensor, SampleList]]) -> dict[int, FrameProposals]:
        """Return proposals of a frame of each video, those of one size in a batch."""
        groups: dict[tuple, list[int]] = {}
        for i, (imgs, _) in inputs.items():
            groups.setdefault(imgs.shape, []).append(i)
        frames = {}
        for members in groups.values():
            imgs = torch.cat([inputs[i][0] for i in members])
            data_samples = [inputs[i][1][0] for i in members]
            with torch.inference_mode(), self.precision():
                frames.update(zip(members, self.model.extract(imgs, data_samples)))
        return frames

    def precision(self) -> AbstractContextManager:
        """Make the context of the model's computations."""
        return autocast(self.device.type) if self.amp else contextlib.nullcontext()

    # ----------------------------------------------------------------- files

    def __call__(
        self,
        video: str | Path | BaseSource,
        out_video: str | Path | None = None,
        out_json: str | Path | None = None,
        out_mot: str | Path | None = None,
        out_images: str | Path | None = None,
        score_thr: float = 0.3,
        classes: Sequence[str] | None = None,
        overwrite: bool = False,
        max_frames: int | None = None,
        show_relations: bool = False,
        scale: int | None = 1,
        font: str | Path | None = None,
        strict: bool = False,
        size: str | tuple[int, int] | None = None,
        fps: float | None = None,
        progress: Progress = None,
    ) -> VideoSummary:
        """Detect in a video and write the outputs that were asked for.

        If no detection reaches the threshold, a warning gives the highest score.

        Decoding and preprocessing run ahead of the model in a thread. After Ctrl-C the outputs are
        completed with the frames that are done, then KeyboardInterrupt is raised.

        Args:
            video (str, Path or BaseSource): See
                :func:`mmrdn.video.open_source`, also for ``max_frames``,
                ``strict``, ``size`` and ``fps``.
            out_video (str or Path, optional): See :class:`VideoOutputs`, also for the other
                outputs, ``overwrite``, ``scale`` and ``font``.
            score_thr (float): Lowest score of a detection that is written or drawn.
            classes (Sequence[str], optional): Names of the classes that are wanted; all if not
                given.
            show_relations (bool): Whether to draw the supports that a detection rests on.
            progress (callable, optional): Function called after each frame with the number of
                frames done and of all frames, None if not known.

        Returns:
            VideoSummary: Summary of the run.
        """
        start = time.time()
        outputs = VideoOutputs(out_video, out_json, out_mot, out_images, overwrite, scale, font)
        labels = self.check_options(outputs, score_thr, classes, show_relations)
        source = as_source(video, size=size, strict=strict, max_frames=max_frames, fps=fps)
        if self.linker is not None and outputs.draws:
            check_rereadable(source)
        buffer = FrameBuffer(self.model.temporal_range if show_relations else 0)
        stream = self.open_stream(recorders=run_recorders(self.model, self.linker, show_relations, score_thr))
        if self.linker is None:
            results = detect(stream, source, buffer, outputs.draws)
        else:
            found, ahead = detect(stream, source, FrameBuffer(), False), stream.lookahead
            results = link_frames(found, self.linker, source, buffer, outputs.draws, ahead, progress)
            progress = None  # it was told
        files = outputs.open(source, self.classes, score_thr)
        files.write_all(results, labels, show_relations, progress)
        files.summary.warn_if_none(source.name, score_thr)
        files.summary.seconds = time.time() - start
        return files.summary

    def check_options(
        self, outputs: VideoOutputs, score_thr: float, classes: Sequence[str] | None, show_relations: bool
    ) -> list[int] | None:
        """Refuse options of :meth:`__call__` that this detector cannot follow, whatever the video.

        Returns:
            list[int] or None: Labels of the classes, None for all.
        """
        check_score_thr(score_thr)
        for name in classes or ():
            if name not in self.classes:
                raise ValueError(f'there is no class "{name}", expected some of: {", ".join(self.classes)}')
        if show_relations and not getattr(getattr(self.model, 'neck', None), 'num_basic', 0):
            raise ValueError('show_relations needs a model with a basic stage (neck.num_basic >= 1)')
        if show_relations and not outputs.draws:
            raise ValueError('show_relations needs out_video or out_images')
        return [self.classes.index(name) for name in classes or ()] or None
