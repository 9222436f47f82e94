# Copyright (c) mmrdn contributors. All rights reserved.
"""A video of what several models found, side by side."""

from pathlib import Path

from mmrdn.comparison.pictures import draw_panels, load_results, read_picture
from mmrdn.utils.checks import check_score_thr
from mmrdn.video import VideoWriter

_WIDTH = 320  # pixels that a panel has at least


def compare_predictions(
    ann_file: str,
    image_root: str,
    out: str,
    prediction_files: dict[str, str],
    video: str | None = None,
    score_thr: float = 0.5,
    truth: bool = False,
    fps: float = 25.0,
    overwrite: bool = False,
) -> int:
    """Write a video with a panel for each model.

    Args:
        ann_file (str): COCO-VID JSON of the data set.
        image_root (str): What its file names are relative to.
        out (str): The video, MP4.
        prediction_files (dict[str, str]): By title, what ``VIDMetric(outfile_prefix=...)`` or box
            linking wrote.
        video (str, optional): Id of the one video that is wanted.
        score_thr (float): Detections below are not drawn.
        truth (bool): Whether the first panel is the ground truth.
        fps (float): Frames a second.
        overwrite (bool): Whether ``out`` may exist.

    Returns:
        int: How many frames it has.

    Raises:
        FileExistsError: ``out`` is there already.
        FileNotFoundError: A file or picture is missing.
        ValueError: The files do not fit together, or there is no such video.
    """
    if not 0 < fps < float('inf'):
        raise ValueError(f'fps must be positive, got {fps}')
    check_score_thr(score_thr)
    with VideoWriter(out, overwrite, fps) as writer:
        frames, classes = load_results(ann_file, Path(image_root), prediction_files, score_thr)
        if video is not None:
            known = list(dict.fromkeys(str(f['video']) for f in frames))
            frames = [f for f in frames if str(f['video']) == video]
            if not frames:
                raise ValueError(
                    f'{ann_file} has no video {video}, expected '
                    f'one of: {", ".join(known[:10])}' + ', ...' * (len(known) > 10)
                )
        if not frames:
            raise ValueError(f'{ann_file} has no images')
        width = read_picture(frames[0]['path']).shape[1]
        scale = max(1, -(-_WIDTH // width))
        for frame in frames:
            writer.write(draw_panels(frame, classes, scale, truth))
    return len(frames)
