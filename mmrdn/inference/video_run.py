# Copyright (c) mmrdn contributors. All rights reserved.
"""One video through a detector: what is detected, recorded and kept."""

from pathlib import Path

from mmrdn.inference.linked_frames import Found
from mmrdn.inference.reference_stream import ReferenceStream
from mmrdn.inference.stream_run import run_stream
from mmrdn.models import RDN, NextFrameRelations, TopSupports
from mmrdn.models.memory import Recorder
from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.models.vid.stream import VideoStream
from mmrdn.post_processing import BaseBoxLinker
from mmrdn.video import BaseSource, FrameBuffer, open_source


def detect(stream: VideoStream | ReferenceStream, source: BaseSource, buffer: FrameBuffer, keep_images: bool) -> Found:
    """Begin to detect in a video; see :func:`run_stream`.

    Args:
        stream (VideoStream or ReferenceStream): A new stream through the detector.
        source (BaseSource): The video.
        buffer (FrameBuffer): An empty buffer.
        keep_images (bool): Whether images are needed with the results.

    Returns:
        Iterator[tuple]: Detections, frame and images of each frame, in order.

    Raises:
        ValueError: The stream reads videos twice, and this one is a camera or a stream.
    """
    stream.begin(source)
    return run_stream(stream, source, buffer, keep_images, to_frame_detections)


def run_recorders(model: RDN, linker: BaseBoxLinker | None, show_relations: bool, score_thr: float) -> list[Recorder]:
    """Make the recorders of relation weights that a run needs.

    Args:
        model (RDN): The detector.
        linker (BaseBoxLinker, optional): Linker of its boxes.
        show_relations (bool): Whether supports of detections are drawn.
        score_thr (float): Lowest score of a detection that is drawn.
    """
    recorders: list[Recorder] = []
    if show_relations:
        # Linking may raise any score above the threshold.
        recorders.append(TopSupports(score_thr=score_thr if linker is None else 0))
    if linker is not None and linker.uses_relations and getattr(model.neck, 'num_basic', 0):
        recorders.append(NextFrameRelations())
    return recorders


def as_source(video: str | Path | BaseSource, **options) -> BaseSource:
    """Return the video as a source."""
    if not isinstance(video, BaseSource):
        return open_source(video, **options)
    for name, value in options.items():
        if value not in (None, False):
            raise ValueError(f'{name} is for videos that are opened here; give it to {type(video).__name__}')
    return video
