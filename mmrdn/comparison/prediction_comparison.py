# Copyright (c) mmrdn contributors. All rights reserved.
"""Draw the detections of several models side by side."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmrdn.comparison.highlights import highlight
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.image_files import read_image
from mmrdn.utils.checks import check_num_frames, check_score_thr
from mmrdn.video import AnimationWriter, VideoWriter
from mmrdn.visualization import FrameDrawer, titled_panels

_MIN_WIDTH = 320  # pixels of a panel


def compare_predictions(
    ann_file: str,
    image_root: str,
    out: str,
    prediction_files: dict[str, str],
    video: str | None = None,
    num_best: int | None = None,
    score_thr: float = 0.5,
    truth: bool = False,
    fps: float = 25.0,
    overwrite: bool = False,
) -> int:
    """Write a video with a panel for each model.

    Args:
        ann_file (str): COCO-VID JSON of the data set.
        image_root (str): Directory that its file names are relative to.
        out (str): Path of the video, MP4, or of a short loop, GIF or APNG.
        prediction_files (dict[str, str]): Predictions written by ``VIDMetric(outfile_prefix=...)``
            or box linking, by the title of their panel.
        video (str, optional): Id of the only video to draw.
        num_best (int, optional): Number of the only frames to draw, those in a row in which the last
            model is most ahead of the first.
        score_thr (float): Lowest score of a detection to draw.
        truth (bool): Whether the first panel is the ground truth.
        fps (float): Frames per second.
        overwrite (bool): Whether to replace ``out``.

    Returns:
        int: Number of frames written.

    Raises:
        FileExistsError: ``out`` exists.
        FileNotFoundError: A file or image is missing.
        ValueError: The files do not fit together, or there is no such video.
    """
    if not 0 < fps < float('inf'):
        raise ValueError(f'fps must be positive, got {fps}')
    check_score_thr(score_thr)
    if num_best is not None:
        check_num_frames('num_best', num_best, 1)
    writer_type = AnimationWriter if Path(out).suffix.lower() in AnimationWriter.suffixes else VideoWriter
    with writer_type(out, overwrite, fps) as writer:
        frames, classes = load_results(ann_file, Path(image_root), prediction_files, score_thr)
        if video is not None:
            known = list(dict.fromkeys(str(frame['video']) for frame in frames))
            if video not in known:
                raise ValueError(
                    f'{ann_file} has no video {video}, expected one of: '
                    f'{", ".join(known[:10])}' + ', ...' * (len(known) > 10)
                )
            frames = [frame for frame in frames if str(frame['video']) == video]
        if not frames:
            raise ValueError(f'{ann_file} has no images')
        if num_best is not None:
            frames = highlight(frames, num_best)
        width = read_image(frames[0]['path']).shape[1]
        scale = max(1, -(-_MIN_WIDTH // width))
        for frame in frames:
            writer.write(draw_panels(frame, classes, scale, truth))
    return len(frames)


def load_results(
    ann_file: str, image_root: Path, prediction_files: dict[str, str], score_thr: float = 0.5
) -> tuple[list[dict], list[str]]:
    """Load ground truth and predictions of all frames, in order.

    Args:
        ann_file (str): COCO-VID JSON with the ground truth.
        image_root (Path): Directory that its file names are relative to.
        prediction_files (dict[str, str]): Predictions written by ``VIDMetric(outfile_prefix=...)``,
            by detector.
        score_thr (float): Lowest score of a detection to keep.

    Returns:
        tuple: For each frame its ``path``, ``video``, ``truth`` and, under ``found``, the kept
        detections of each detector; class names.

    Raises:
        ValueError: The predictions are for other images.
    """
    file = CocoVidFile(ann_file, images=('file_name', 'video_id'))
    classes = list(file.categories)
    truth = file.ground_truth(classes)
    predictions = {}
    for name, path in prediction_files.items():
        predictions[name] = CocoVidFile(path, annotations=('bbox', 'score')).predictions(classes)
        for key in truth:
            if key not in predictions[name]:
                raise ValueError(f'{path} has no image id {key}, expected those of {ann_file}')
    frames = [
        dict(
            path=str(image_root / image['file_name']),
            video=image['video_id'],
            truth=truth[image['id']],
            found={name: found[image['id']].above(score_thr) for name, found in predictions.items()},
        )
        for image in file.data['images']
    ]
    return frames, classes


def draw_panels(frame: dict, classes: Sequence[str], scale: int = 3, truth: bool = True) -> np.ndarray:
    """Draw the detections in a frame, a panel for each detector.

    Args:
        frame (dict): Frame as :func:`load_results` returns it.
        classes (Sequence[str]): Class names.
        scale (int): Factor by which the image is enlarged.
        truth (bool): Whether the first panel is the ground truth.

    Returns:
        np.ndarray: See :func:`mmrdn.visualization.titled_panels`.
    """
    image = read_image(frame['path'])
    shown = {title: replace(found, track_ids=None) for title, found in frame['found'].items()}
    if truth:
        title = 'not annotated' if frame['truth'].is_left_out else 'ground truth'
        shown = {title: frame['truth'], **shown}
    drawer = FrameDrawer(classes, scale=scale)
    return titled_panels([drawer.draw_boxes(image, boxes) for boxes in shown.values()], list(shown))
