# Copyright (c) mmrdn contributors. All rights reserved.
"""The boxes of a video through a linker, and its frames a second time."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

from mmrdn.post_processing import BaseBoxLinker, VideoLinker
from mmrdn.structures import Frame, FrameDetections
from mmrdn.utils.interrupts import hold_interrupts
from mmrdn.video import BaseSource, FrameBuffer

# The detections of a frame, the frame, and the images kept, by their offset in frames from it.
Found = Iterator[tuple[FrameDetections, Frame, Mapping]]
# Called with the number of frames done, and of all if known.
Progress = Callable[[int, int | None], None] | None


def link_frames(
    found: Iterable[tuple[FrameDetections, Frame, Mapping]],
    linker: BaseBoxLinker,
    source: BaseSource,
    buffer: FrameBuffer,
    keep_images: bool,
    lookahead: int = 0,
    progress: Progress = None,
) -> Found:
    """Detect in the whole video, link its boxes, read its frames again.

    After Ctrl-C the frames that have results are linked and yielded, then KeyboardInterrupt is raised.

    Args:
        found (Iterable): Detections, frame and images of each frame; images are not looked at.
        linker (BaseBoxLinker): Linker of the boxes.
        source (BaseSource): The video; read a second time if images are needed.
        buffer (FrameBuffer): An empty buffer.
        keep_images (bool): Whether images are needed with the results.
        lookahead (int): Number of frames ahead that are kept beside a frame, where the buffer keeps
            those behind it.
        progress (callable, optional): Function called after each frame that was detected.

    Yields:
        tuple: Detections, frame and images of each frame, in order.
    """
    video = VideoLinker(linker)
    frames: list[Frame] = []
    linked: list[FrameDetections] = []
    interrupt = None
    try:
        for detections, frame, _ in found:
            linked += video.add(detections)
            frames.append(frame)
            if progress is not None:
                progress(len(frames), source.num_frames)
    except KeyboardInterrupt as error:
        interrupt = error
    try:
        with hold_interrupts():
            linked += video.finish()
    except KeyboardInterrupt as error:
        interrupt = error
    ahead = lookahead if buffer.num_behind else 0
    with contextlib.closing(iter(source) if keep_images else (frame for frame in frames)) as again:
        for detections in linked:
            missing = max(ahead + 1 - buffer.num_waiting, 0)
            for frame in itertools.islice(again, missing):
                buffer.add(frame)
            yield (detections, *buffer.take())
    if interrupt is not None:
        raise interrupt


def check_rereadable(source: BaseSource) -> None:
    """Refuse a video whose linked boxes cannot be drawn, as it can be read once only."""
    if not source.rereadable:
        raise ValueError(
            f'{source.name} cannot be read a second time, as drawing linked boxes needs; leave out the '
            'linker, out_video and out_images'
        )
