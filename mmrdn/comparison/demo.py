# Copyright (c) mmrdn contributors. All rights reserved.
"""The demo: RDN against the single-frame detector on moving digits.

From raw files to a table, a video and a contact sheet, by the same commands that a user runs: data
tools, ``tools/train.py`` and ``tools/test.py``.
"""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mmrdn.apis.config_files import find_model
from mmrdn.comparison.detector_run import DetectorRun
from mmrdn.comparison.pictures import load_results, write_pictures
from mmrdn.comparison.report import print_results
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid
from mmrdn.datasets.moving_digits import MovingDigitsConfig, make_moving_digits
from mmrdn.fileio.json_files import write_json

MODELS = {
    'single frame': 'rdn/single-frame_faster-rcnn_r18_1xb4-1500_movingdigits',
    'RDN': 'rdn/rdn_faster-rcnn_r18_1xb4-1500_movingdigits',
}


def run_demo(work_dir: Path, seed: int = 0, options: Sequence[str] = ()) -> dict:
    """Make data, train and test both detectors, show where they differ.

    Args:
        work_dir (Path): Where everything goes. Finished steps of an earlier run with the same
            settings are kept.
        seed (int): Of the training. The data are always those of seed 0.
        options (Sequence[str]): ``--cfg-options`` for both detectors.

    Returns:
        dict: What ``summary.json`` holds.

    Raises:
        ValueError: The folder holds results of other settings, or a step failed.
    """
    start = time.time()
    console = Console()
    data_root = work_dir / 'moving_digits'
    data = f'{data_root}/'
    options = [
        *options,
        f'randomness.seed={seed}',
        'train_cfg.val_begin=1000000',
        *(f'{part}_dataloader.dataset.data_root={data}' for part in ('train', 'val', 'test')),
        *(f'{part}_evaluator.ann_file={data}annotations/moving_digits_val.json' for part in ('val', 'test')),
    ]
    runs = {
        name: DetectorRun(
            name, find_model(config).config, work_dir / f'{name.replace(" ", "_").lower()}_seed{seed}', options
        )
        for name, config in MODELS.items()
    }
    prepare_data(data_root, console)
    rows = {name: run(console) for name, run in runs.items()}
    console.rule('Pictures')
    frames, classes = load_results(
        str(data_root / 'annotations' / 'moving_digits_val.json'),
        data_root / 'Data' / 'VID',
        {name: str(run.directory / 'val.predictions.json') for name, run in runs.items()},
    )
    write_pictures(frames, classes, work_dir / 'demo.mp4', work_dir / 'demo.png')
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


def prepare_data(data_root: Path, console: Console) -> None:
    """Make moving digits in the ILSVRC layout and convert them."""
    console.rule('Data: moving digits')
    make_moving_digits(data_root, MovingDigitsConfig())
    for split in ('train', 'val'):
        target = data_root / 'annotations' / f'moving_digits_{split}.json'
        if not target.exists():
            convert_vid(data_root, split, target, classes='moving_digits')
