# Copyright (c) mmrdn contributors. All rights reserved.
"""Compare RDN with the single-frame detector on moving digits.

From raw files to a table, a video and a contact sheet, by the commands that a user runs: data
tools, ``tools/train.py`` and ``tools/test.py``.
"""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from mmrdn.apis.config_files import find_model
from mmrdn.comparison.detector_run import DetectorRun, run_side_by_side
from mmrdn.comparison.highlights import gains_of
from mmrdn.comparison.prediction_comparison import draw_panels, load_results
from mmrdn.comparison.report import print_results
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid
from mmrdn.datasets.moving_digits import MovingDigitsConfig, make_moving_digits
from mmrdn.fileio.json_files import write_json
from mmrdn.fileio.whole_file import whole_file
from mmrdn.utils.cli import path_option
from mmrdn.video import VideoWriter
from mmrdn.visualization import put_label

MODELS = {
    'single frame': 'rdn/single-frame_faster-rcnn_r18_1xb4-1500_movingdigits',
    'RDN': 'rdn/rdn_faster-rcnn_r18_1xb4-1500_movingdigits',
}


def run_demo(work_dir: Path, seed: int = 0, options: Sequence[str] = ()) -> dict:
    """Make the data, train and test both detectors, and draw the frames where they differ.

    Args:
        work_dir (Path): Directory for all files. Finished steps of an earlier run with the same
            settings are kept.
        seed (int): Seed of the training. The data are always those of seed 0.
        options (Sequence[str]): ``--cfg-options`` for both detectors.

    Returns:
        dict: Content of ``summary.json``.

    Raises:
        ValueError: The directory holds results of other settings, or a step failed.
    """
    start = time.time()
    console = Console()
    data_root = work_dir / 'moving_digits'
    options = [*options, f'randomness.seed={seed}', *digits_options(data_root)]
    runs = {
        name: DetectorRun(
            name, find_model(config).config, work_dir / f'{name.replace(" ", "_").lower()}_seed{seed}', options
        )
        for name, config in MODELS.items()
    }
    prepare_data(data_root, console)
    rows = dict(zip(runs, run_side_by_side(list(runs.values()), console)))
    console.rule('Images')
    frames, classes = load_results(
        str(data_root / 'annotations' / 'moving_digits_val.json'),
        data_root / 'Data' / 'VID',
        {name: str(run.directory / 'val.predictions.json') for name, run in runs.items()},
    )
    write_images(frames, classes, work_dir / 'demo.mp4', work_dir / 'demo.png')
    summary = dict(
        seed=seed,
        rows=rows,
        gain_mAP50=round(rows['RDN']['mAP50'] - rows['single frame']['mAP50'], 2),
        minutes=round((time.time() - start) / 60, 1),
        machine=f'{platform.machine()}, {os.cpu_count()} cores',
    )
    write_json(summary, work_dir / 'summary.json')
    print_results(list(rows.values()), list(rows), f'Moving digits, validation, seed {seed}', console)
    console.print(
        f'RDN is {summary["gain_mAP50"]:+.1f} points of mAP50 ahead. '
        f'{summary["minutes"]} minutes in all. See {work_dir}/demo.mp4, '
        f'{work_dir}/demo.png and {work_dir}/summary.json',
        soft_wrap=True,
    )
    return summary


def digits_options(data_root: Path) -> list[str]:
    """Return the words of ``--cfg-options`` for data in a directory, tested once, at the end."""
    data, truth = f'{data_root}/', data_root / 'annotations' / 'moving_digits_val.json'
    return [
        'train_cfg.val_begin=1000000',
        *(path_option(f'{part}_dataloader.dataset.data_root', data) for part in ('train', 'val', 'test')),
        *(path_option(f'{part}_evaluator.ann_file', truth) for part in ('val', 'test')),
    ]


def prepare_data(data_root: Path, console: Console) -> None:
    """Make moving digits in the ILSVRC layout and convert them."""
    console.rule('Data: moving digits')
    make_moving_digits(data_root, MovingDigitsConfig())
    for split in ('train', 'val'):
        target = data_root / 'annotations' / f'moving_digits_{split}.json'
        if not target.exists():
            convert_vid(data_root, split, target, classes='moving_digits')


def write_images(frames: list[dict], classes: Sequence[str], video: Path, sheet: Path) -> None:
    """Draw ground truth and two detectors side by side.

    Args:
        frames (list[dict]): Frames of two detectors as :func:`load_results` returns them.
        classes (Sequence[str]): Class names.
        video (Path): Video to write, of the first ten videos.
        sheet (Path): Image to write, of the frames where the detectors differ most, at most one of
            each video and eight in all.
    """
    first, second = frames[0]['found']
    gains = gains_of(frames, first, second)
    shown = sorted({f['video'] for f in frames})[:10]
    with VideoWriter(video, overwrite=True, fps=6) as writer:
        for frame in frames:
            if frame['video'] in shown:
                writer.write(draw_panels(frame, classes))
    rows: dict[object, np.ndarray] = {}  # by video
    for i in sorted(range(len(frames)), key=lambda i: -abs(gains[i])):
        if gains[i] and frames[i]['video'] not in rows and len(rows) < 8:
            row = draw_panels(frames[i], classes, scale=2)
            put_label(row, f'better: {second if gains[i] > 0 else first}', (row.shape[1], 0), (200, 200, 200))
            rows[frames[i]['video']] = row
    panels = list(rows.values()) or [draw_panels(frames[0], classes, scale=2)]
    with whole_file(sheet) as file:
        file.write(cv2.imencode('.png', np.vstack(panels))[1])
