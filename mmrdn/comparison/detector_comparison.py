# Copyright (c) mmrdn contributors. All rights reserved.
"""Train, test and time several detectors on one data set."""

import contextlib
import os.path as osp
from collections import Counter
from collections.abc import Iterator, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from rich.console import Console

from mmrdn.apis.config_files import find_model
from mmrdn.comparison.detector_run import DetectorRun, visible_devices
from mmrdn.comparison.report import check_out, print_results, short_names, write_results
from mmrdn.evaluation.metrics.vid_metric import SETTINGS, VIDMetric
from mmrdn.utils.cli import describe


def compare_detectors(
    configs: Sequence[str],
    work_dir: str,
    checkpoints: Sequence[str] | None = None,
    seed: int = 0,
    device: str | None = None,
    threads: int = 1,
    options: Sequence[str] = (),
    out: str | None = None,
    trust_checkpoint: bool = False,
) -> list[dict[str, Any]]:
    """Train and test detectors one after the other, and write how they compare.

    A detector that fails is reported, and the others continue. Steps that an earlier comparison in the
    same directory finished are not repeated.

    Args:
        configs (Sequence[str]): Paths, or names as in :func:`find_model`.
        work_dir (str): Directory that gets one for each detector.
        checkpoints (Sequence[str], optional): A path or URL for each config, or ``-`` to train it.
        seed (int): Seed of the training.
        device (str, optional): ``cpu`` or ``cuda:N``. Default: a GPU if there is one.
        threads (int): Number of CPU threads in the test.
        options (Sequence[str]): Words of ``--cfg-options`` for all configs.
        out (str, optional): Path of the results without ``.json``, ``.csv`` and ``.png``. Default:
            ``comparison`` in ``work_dir``.
        trust_checkpoint (bool): Unpickle checkpoints.

    Returns:
        list[dict]: For each config ``name``, ``config`` and the result of :class:`DetectorRun`, or
        ``error``.

    Raises:
        ValueError: The detectors are not tested on the same data, or an argument is wrong.
    """
    if threads < 1:
        raise ValueError(f'--threads must be 1 or more, got {threads}')
    visible_devices(device)
    checkpoints = list(checkpoints or ['-'] * len(configs))
    if len(checkpoints) != len(configs):
        raise ValueError(
            f'--checkpoints must name one for each of the {len(configs)} '
            f'configs, or - to train it, got {len(checkpoints)}'
        )
    names = unique_names(configs)
    prefix = Path(out) if out else Path(work_dir) / 'comparison'
    check_out(prefix, work_dir, names)
    console = Console()
    rows = [dict(name=n, config=c) for n, c in zip(names, configs)]
    runs: dict[str, DetectorRun] = {}
    for row, checkpoint in zip(rows, checkpoints):
        with reported(row, console):
            runs[row['name']] = DetectorRun(
                row['name'],
                find_model(row['config']).config,
                Path(work_dir) / row['name'],
                [*options, f'randomness.seed={seed}'],
                checkpoint=None if checkpoint == '-' else checkpoint,
                device=device,
                threads=threads,
                trust_checkpoint=trust_checkpoint,
            )
    if not runs:
        return rows
    data = check_same_data(list(runs.values()))
    for row in rows:
        if row['name'] in runs:
            with reported(row, console):
                row.update(runs[row['name']](console))
    labels = short_names(names)
    title = f'{Path(data).stem}, seed {seed}'
    head = dict(work_dir=osp.abspath(work_dir), data=data, seed=seed)
    write_results(prefix, head, rows, labels, title)
    print_results(rows, labels, title, console)
    console.print(f'See {prefix}.json, {prefix}.csv, {prefix}.png', soft_wrap=True)
    return rows


@contextlib.contextmanager
def reported(row: dict[str, Any], console: Console) -> Iterator[None]:
    """Let a detector fail, and record the error in its row."""
    try:
        yield
    except Exception as error:  # whatever it is, the others continue
        row['error'] = describe(error)
        console.print(f'{row["name"]} failed: {row["error"]}', soft_wrap=True, highlight=False, markup=False)


def unique_names(configs: Sequence[str]) -> list[str]:
    """Return the stems of the configs, numbered where they repeat."""
    seen: Counter = Counter()
    names = []
    for config in configs:
        stem = Path(config).name.removesuffix('.py')
        seen[stem] += 1
        names.append(stem if seen[stem] == 1 else f'{stem}-{seen[stem]}')
    return names


def check_same_data(runs: Sequence[DetectorRun]) -> str:
    """Check that all detectors are tested on the same frames in the same way.

    Args:
        runs (Sequence[DetectorRun]): Runs to compare.

    Returns:
        str: Path of the annotation file.

    Raises:
        ValueError: They are not; the message names the two files or settings.
    """
    first, *others = runs
    data = _test_data(first)
    for run in others:
        theirs = _test_data(run)
        for part, path in data.items():
            if osp.realpath(path) != osp.realpath(theirs[part]):
                raise ValueError(
                    f'detectors must be compared on the same data: the {part} of {first.name} is {path}, '
                    f'that of {run.name} is {theirs[part]}'
                )
        for key in SETTINGS:
            default = signature(VIDMetric).parameters[key].default
            one, other = (r.metric.get(key, default) for r in (first, run))
            if one != other:
                raise ValueError(
                    f'detectors must be compared by the same metric: {key} of {first.name} is {one}, '
                    f'that of {run.name} is {other}'
                )
    return data['test data']


def _test_data(run: DetectorRun) -> dict[str, str]:
    """Return the paths of the frames of a test and of their ground truth."""
    dataset = run.cfg.test_dataloader.dataset
    while 'ann_file' not in dataset and 'dataset' in dataset:
        dataset = dataset.dataset
    if 'ann_file' not in dataset:
        raise ValueError(
            f'{run.name}: test_dataloader.dataset must have one ann_file, got a {dataset.get("type")} without'
        )
    root = dataset.get('data_root') or ''
    ann_file = osp.join(root, dataset.ann_file)
    prefix = dataset.get('data_prefix') or {}
    images = prefix.get('img_path') or prefix.get('img') or ''
    return {
        'test data': ann_file,
        'images': osp.join(root, images),
        'ground truth': run.metric.get('ann_file') or ann_file,
    }
