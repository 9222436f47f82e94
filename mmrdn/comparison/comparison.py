# Copyright (c) mmrdn contributors. All rights reserved.
"""Several detectors on one data set: trained, tested, timed."""

import contextlib
import os
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
    """Train and test detectors one after the other, and say how they compare.

    A detector that fails is reported, and the others go on. What an earlier comparison in the same
    folder finished is kept.

    Args:
        configs (Sequence[str]): Paths, or names as in :func:`find_model`.
        work_dir (str): Gets a folder for each detector.
        checkpoints (Sequence[str], optional): For each config a file or an address, or ``-`` to
            train it.
        seed (int): Of the training.
        device (str, optional): ``cpu`` or ``cuda:N``; a GPU if there is one.
        threads (int): Of the CPU while testing.
        options (Sequence[str]): Words of ``--cfg-options`` for all.
        out (str, optional): Results go to this name with ``.json``, ``.csv`` and ``.png``;
            ``comparison`` in ``work_dir`` if not given.
        trust_checkpoint (bool): Unpickle checkpoints.

    Returns:
        list[dict]: For each config ``name``, ``config`` and what
        :class:`DetectorRun` gives, or ``error``.

    Raises:
        ValueError: The detectors are not tested on the same data, or the arguments are wrong.
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
        with _reported(row, console):
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
            with _reported(row, console):
                row.update(runs[row['name']](console))
    labels = short_names(names)
    title = f'{Path(data).stem}, seed {seed}'
    head = dict(work_dir=osp.abspath(work_dir), data=data, seed=seed)
    write_results(prefix, head, rows, labels, title)
    print_results(rows, labels, title, console)
    console.print(f'See {prefix}.json, {prefix}.csv, {prefix}.png', soft_wrap=True)
    return rows


@contextlib.contextmanager
def _reported(row: dict[str, Any], console: Console) -> Iterator[None]:
    """Let a detector fail, and say so in its row."""
    try:
        yield
    except Exception as error:  # whatever it is, the others go on
        row['error'] = describe(error)
        console.print(f'{row["name"]} failed: {row["error"]}', soft_wrap=True, highlight=False, markup=False)


def unique_names(configs: Sequence[str]) -> list[str]:
    """Stems of the configs, numbered where they are the same."""
    stems = [Path(config).name.removesuffix('.py') for config in configs]
    seen: Counter = Counter()
    names = []
    for stem in stems:
        seen[stem] += 1
        names.append(stem if seen[stem] == 1 else f'{stem}-{seen[stem]}')
    return names


def check_same_data(runs: Sequence[DetectorRun]) -> str:
    """See that all detectors are tested on the same frames in the same way.

    Args:
        runs (Sequence[DetectorRun]): What is compared.

    Returns:
        str: The annotation file.

    Raises:
        ValueError: They are not; names the two files.
    """
    first, *others = runs
    data = _test_data(first)
    for run in others:
        theirs = _test_data(run)
        for what, path in data.items():
            if not _same_file(path, theirs[what]):
                raise ValueError(
                    f'detectors must be compared on the same data: the {what} '
                    f'of {first.name} is {path}, that of {run.name} is '
                    f'{theirs[what]}'
                )
        for key in SETTINGS:
            default = signature(VIDMetric).parameters[key].default
            one, other = (r.metric.get(key, default) for r in (first, run))
            if one != other:
                raise ValueError(
                    f'detectors must be compared by the same metric: {key} of '
                    f'{first.name} is {one}, that of {run.name} is {other}'
                )
    return data['test data']


def _test_data(run: DetectorRun) -> dict[str, str]:
    """Where the frames of a test and their ground truth are."""
    dataset = run.cfg.test_dataloader.dataset
    while 'ann_file' not in dataset and 'dataset' in dataset:
        dataset = dataset.dataset
    if 'ann_file' not in dataset:
        raise ValueError(
            f'{run.name}: test_dataloader.dataset must have one ann_file, got a {dataset.get("type")} without'
        )
    root = dataset.get('data_root') or ''
    ann_file = osp.join(root, dataset.ann_file)
    pictures = (dataset.get('data_prefix') or {}).get('img_path') or ''
    return {
        'test data': ann_file,
        'pictures': osp.join(root, pictures),
        'ground truth': run.metric.get('ann_file') or ann_file,
    }


def _same_file(one: str, other: str) -> bool:
    if osp.exists(one) and osp.exists(other):
        return os.path.samefile(one, other)
    return osp.abspath(one) == osp.abspath(other)
