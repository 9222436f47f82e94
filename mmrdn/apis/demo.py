# Copyright (c) mmrdn contributors. All rights reserved.
"""The demo: RDN against the single-frame detector on moving digits.

From raw files to a table, a video and a contact sheet, by the same commands
that a user runs: data tools, ``tools/train.py`` and ``tools/test.py``.
"""
import hashlib
import json
import math
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Dict, Sequence

from mmengine.config import Config
from rich.console import Console
from rich.table import Table

from mmrdn.datasets.ilsvrc_vid import convert_vid
from mmrdn.datasets.moving_digits import MovingDigitsConfig, make_moving_digits
from mmrdn.utils.progress import run_with_progress
from .demo_pictures import load_results, write_pictures

MODELS = {
    'single frame': 'single-frame_faster-rcnn_r18_1xb4-1500_movingdigits.py',
    'RDN': 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
}
_METRICS = {
    'mAP50': 'vid/mAP50',
    'slow': 'vid/mAP50_slow',
    'medium': 'vid/mAP50_medium',
    'fast': 'vid/mAP50_fast'
}


def run_demo(root: Path,
             work_dir: Path,
             seed: int = 0,
             options: Sequence[str] = ()) -> dict:
    """Make data, train and test both detectors, show where they differ.

    Args:
        root (Path): The checkout, with ``tools`` and ``configs``.
        work_dir (Path): Where everything goes. Finished steps of an earlier
            run with the same settings are kept.
        seed (int): Of the training. The data are always those of seed 0.
        options (Sequence[str]): ``--cfg-options`` for both detectors.

    Returns:
        dict: What ``summary.json`` holds.

    Raises:
        ValueError: The folder holds results of other settings, or a step
            failed.
    """
    start = time.time()
    work_dir.mkdir(parents=True, exist_ok=True)
    settings = dict(
        seed=seed, options=list(options), configs=_fingerprint(root))
    claim = work_dir / 'settings.json'
    if claim.exists() and json.loads(claim.read_text()) != settings:
        raise ValueError(f'{work_dir} holds a demo with other settings (see '
                         f'{claim}); choose another --work-dir')
    _write_json(settings, claim)
    console = Console()
    data_root = work_dir / 'moving_digits'
    prepare_data(data_root, console)
    options = [*options, f'randomness.seed={seed}']
    rows = {
        name:
        _train_and_test(root, work_dir, data_root, name, seed, options,
                        console)
        for name in MODELS
    }
    console.rule('Pictures')
    frames, classes = load_results(
        str(data_root / 'annotations' / 'moving_digits_val.json'),
        data_root / 'Data' / 'VID', {
            name: str(_folder(work_dir, name, seed) / 'val.predictions.json')
            for name in MODELS
        })
    write_pictures(frames, classes, work_dir / 'demo.mp4',
                   work_dir / 'demo.png')
    summary = dict(
        seed=seed,
        rows=rows,
        gain_mAP50=round(rows['RDN']['mAP50'] - rows['single frame']['mAP50'],
                         2),
        minutes=round((time.time() - start) / 60, 1),
        machine=f'{platform.machine()}, {os.cpu_count()} cores')
    _write_json(summary, work_dir / 'summary.json')
    _print_table(summary, work_dir, console)
    return summary


def _fingerprint(root: Path) -> str:
    """Tells whether the configs of both detectors are what they were."""
    texts = [
        Config.fromfile(root / 'configs' / 'rdn' / name).pretty_text
        for name in MODELS.values()
    ]
    return hashlib.sha256('\n'.join(texts).encode()).hexdigest()[:16]


def prepare_data(data_root: Path, console: Console) -> None:
    """Make moving digits in the ILSVRC layout and convert them."""
    console.rule('Data: moving digits')
    make_moving_digits(data_root, MovingDigitsConfig())
    for split in ('train', 'val'):
        target = data_root / 'annotations' / f'moving_digits_{split}.json'
        if not target.exists():
            convert_vid(data_root, split, target, classes='moving_digits')


def _train_and_test(root: Path, work_dir: Path, data_root: Path, name: str,
                    seed: int, options: Sequence[str],
                    console: Console) -> Dict[str, float]:
    """Train and test one detector unless an earlier run did.

    Returns:
        dict[str, float]: Metrics in points, ms a frame, minutes of training.
    """
    out = _folder(work_dir, name, seed)
    result = out / 'result.json'
    if result.exists():
        console.rule(f'{name}: already done, see {out}')
        return json.loads(result.read_text())
    config = str(root / 'configs' / 'rdn' / MODELS[name])
    data = f'{data_root}/'
    options = [
        '--cfg-options', *options, 'train_cfg.val_begin=1000000',
        f'train_dataloader.dataset.data_root={data}',
        f'val_dataloader.dataset.data_root={data}',
        f'test_dataloader.dataset.data_root={data}',
        *(f'{part}_evaluator.ann_file={data}annotations/moving_digits_val.json'
          for part in ('val', 'test'))
    ]
    # Threads wait awake for a moment only: on a busy machine those that spin
    # keep the others from working.
    env = dict(
        os.environ,
        OMP_WAIT_POLICY='passive',
        GOMP_SPINCOUNT='20000',
        PYTHONWARNINGS='ignore')
    console.rule(f'{name}, seed {seed}')
    trained = out / 'trained.json'
    if not trained.exists():
        shutil.rmtree(out, ignore_errors=True)  # of a run that was cut short
        start = time.time()
        run_with_progress([
            sys.executable,
            str(root / 'tools' / 'train.py'), config, '--work-dir',
            str(out), *options
        ], 'training', out / 'train.log', console, env)
        _write_json(dict(minutes=(time.time() - start) / 60), trained)
    prefix = out / 'val'
    Path(f'{prefix}.predictions.json').unlink(missing_ok=True)
    checkpoint = (out / 'last_checkpoint').read_text().strip()
    run_with_progress([
        sys.executable,
        str(root / 'tools' / 'test.py'), config, checkpoint, '--work-dir',
        str(out), *options, f'test_evaluator.outfile_prefix={prefix}'
    ], 'testing', out / 'test.log', console, env)
    logs = sorted(out.glob('2*/2*.json'), key=lambda p: p.stat().st_mtime)
    scalars = json.loads(logs[-1].read_text())
    row = {key: 100 * scalars[metric] for key, metric in _METRICS.items()}
    row['ms_per_frame'] = 1000 * (scalars['time'] - scalars['data_time'])
    row['train_minutes'] = json.loads(trained.read_text())['minutes']
    row = {key: round(value, 2) for key, value in row.items()}
    _write_json(row, result)
    return row


def _folder(work_dir: Path, name: str, seed: int) -> Path:
    return work_dir / f'{name.replace(" ", "_").lower()}_seed{seed}'


def _write_json(data: dict, path: Path) -> None:
    """Write JSON, NaN as null, under its name only when complete."""

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(v) for key, v in value.items()}
        return None if isinstance(value,
                                  float) and math.isnan(value) else value

    partial = path.with_suffix('.partial')
    partial.write_text(json.dumps(clean(data), indent=2) + '\n')
    partial.replace(path)


def _print_table(summary: dict, work_dir: Path, console: Console) -> None:
    """The table of the demo."""
    table = Table(title=f'Moving digits, validation, seed {summary["seed"]}')
    for column in ('detector', *_METRICS, 'ms a frame', 'training (min)'):
        table.add_column(
            column, justify='left' if column == 'detector' else 'right')
    for name, row in summary['rows'].items():
        values = [row[key] for key in _METRICS]
        table.add_row(name, *('-' if v is None else f'{v:.1f}'
                              for v in values), f'{row["ms_per_frame"]:.1f}',
                      f'{row["train_minutes"]:.1f}')
    console.print(table)
    console.print(
        f'RDN is {summary["gain_mAP50"]:+.1f} points of mAP50 ahead. '
        f'{summary["minutes"]} minutes in all. See {work_dir}/demo.mp4, '
        f'{work_dir}/demo.png and {work_dir}/summary.json',
        soft_wrap=True)
