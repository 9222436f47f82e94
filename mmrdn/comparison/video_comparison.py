# Copyright (c) mmrdn contributors. All rights reserved.
"""Run several detectors over a video and show them side by side."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from mmrdn.apis.video_inferencer import VideoInferencer
from mmrdn.inference.video_outputs import VideoSummary, fit_scale
from mmrdn.inference.video_run import detect
from mmrdn.utils.checks import check_score_thr
from mmrdn.video import FrameBuffer, VideoWriter, open_source
from mmrdn.visualization import FrameDrawer, titled_panels


def compare_on_video(
    video: str | Path,
    out: str | Path,
    detectors: Mapping[str, Callable[[], VideoInferencer]],
    score_thr: float = 0.3,
    max_frames: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int | None], object] | None = None,
) -> int:
    """Write a video with a panel for each detector.

    All detectors run at once, each as far as a frame needs; each reads the video by itself. For a
    panel in which no detection reaches the threshold, a warning says how high the highest score was.

    Args:
        video (str or Path): A video file, or images, see :func:`mmrdn.video.open_source`.
        out (str or Path): Path of the video to write, MP4.
        detectors (Mapping[str, callable]): Function that loads a detector, by the title of its panel.
        score_thr (float): Lowest score of a detection to draw.
        max_frames (int, optional): Number of frames to stop after.
        overwrite (bool): Whether to replace ``out``.
        progress (callable, optional): Function called after each frame with the number of frames
            done and of all frames, None if not known.

    Returns:
        int: Number of frames written.

    Raises:
        FileExistsError: ``out`` exists.
        ValueError: The video cannot be read more than once, or something else is of no use.
    """
    check_score_thr(score_thr)
    sources = [open_source(video, max_frames=max_frames) for _ in detectors]
    if not sources or not sources[0].rereadable:
        raise ValueError(f'{video} must be read once for each detector: expected a file or images')
    with VideoWriter(out, overwrite, sources[0].fps) as writer, contextlib.ExitStack() as ended:
        loaded = {title: load() for title, load in detectors.items()}
        runs = [
            ended.enter_context(contextlib.closing(detect(inferencer.open_stream(), source, FrameBuffer(), i == 0)))
            for i, (inferencer, source) in enumerate(zip(loaded.values(), sources))
        ]
        summaries = [VideoSummary() for _ in loaded]
        for results in zip(*runs):
            frame = results[0][1]
            scale = fit_scale(*frame.image.shape[:2])
            panels = []
            for inferencer, summary, (found, *_) in zip(loaded.values(), summaries, results):
                drawer = FrameDrawer(inferencer.classes, scale=scale)
                panels.append(drawer.draw_boxes(frame.image, summary.add(found, score_thr)))
            writer.write(titled_panels(panels, list(loaded)), frame.time)
            if progress is not None:
                progress(writer.num_frames, sources[0].num_frames)
    for title, summary in zip(loaded, summaries):
        summary.warn_if_none(f'{sources[0].name}, {title}', score_thr)
    return writer.num_frames
