# Copyright (c) mmrdn contributors. All rights reserved.
"""Several detectors on one data set: trained, tested, timed."""
import os
import os.path as osp
from collections import Counter
from inspect import signature
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmengine.config import Config
from rich.console import Console

from mmrdn.evaluation.metrics.vid_metric import SETTINGS, VIDMetric
from mmrdn.utils.cli import describe
from .comparison_report import (check_out, print_results, short_names,
                                write_results)
from .detector_run import DetectorRun, visible_devices
from .model_zoo import find_model

_FAILURES = (ValueError, OSError, TypeError, KeyError)


def compare_detectors(configs: Sequence[str],
                      work_dir: str,
                      checkpoints: Optional[Sequence[str]] = None,
                      seed: int = 0,
                      device: Optional[str] = None,
                      threads: int = 1,
                      options: Sequence[str] = (),
                      out: Optional[str] = None,
                      trust_checkpoint: bool = False) -> List[Dict[str, Any]]:
    """Train and test detectors one after the other, and say how they compare.

    A detector that fails is reported, and the others go on. What an earlier
    comparison in the same folder finished is kept.

    Args:
        configs (Sequence[str]): Paths, or names as in :func:`find_model`.
        work_dir (str): Gets a folder for each detector.
        checkpoints (Sequence[str], optional): For each config a file or an
            address, or ``-`` to train it.
        seed (int): Of the training.
        device (str, optional): ``cpu`` or ``cuda:N``; a GPU if there is one.
        threads (int): Of the CPU while testing.
        options (Sequence[str]): Words of ``--cfg-options`` for all.
        out (str, optional): Results go to this name with ``.json``, ``.csv``
            and ``.png``; ``comparison`` in ``work_dir`` if not given.
        trust_checkpoint (bool): Unpickle checkpoints.

    Returns:
        list[dict]: For each config ``name``, ``config`` and what
        :class:`DetectorRun` gives, or ``error``.

    Raises:
        ValueError: The detectors are not tested on the same data, or the
            arguments are wrong.
    """
    if threads < 1:
        raise ValueError(f'--threads must be 1 or more, got {threads}')
    visible_devices(device)
    checkpoints = list(checkpoints or ['-'] * len(configs))
    if len(checkpoints) != len(configs):
        raise ValueError(
            f'--checkpoints must name one for each of the {len(configs)} '
            f'configs, or - to train it, got {len(checkpoints)}')
    names = unique_names(configs)
    prefix = Path(out) if out else Path(work_dir) / 'comparison'
    check_out(prefix, work_dir, names)
    console = Console()
    rows = [dict(name=n, config=c) for n, c in zip(names, configs)]
    runs: Dict[str, DetectorRun] = {}
    for row, checkpoint in zip(rows, checkpoints):
        try:
            runs[row['name']] = DetectorRun(
                row['name'],
                find_model(row['config']).config,
                Path(work_dir) / row['name'],
                [*options, f'randomness.seed={seed}'],
                checkpoint=None if checkpoint == '-' else checkpoint,
                device=device,
                threads=threads,
                trust_checkpoint=trust_checkpoint)
        except _FAILURES as error:
            _fail(row, error, console)
    if not runs:
        return rows
    data = check_same_data({
        name: run.cfg
        for name, run in runs.items()
    }, {
        name: run.metric
        for name, run in runs.items()
    })
    for row in rows:
        if 'error' in row:
            continue
        try:
            row.update(runs[row['name']](console))
        except _FAILURES as error:
            _fail(row, error, console)
    labels = short_names(names)
    title = f'{Path(data).stem}, seed {seed}'
    head = dict(work_dir=osp.abspath(work_dir), data=data, seed=seed)
    write_results(prefix, head, rows, labels, title)
    print_results(rows, labels, title, console)
    console.print(
        f'See {prefix}.json, {prefix}.csv, {prefix}.png', soft_wrap=True)
    return rows


def _fail(row: Dict[str, Any], error: Exception, console: Console) -> None:
    row['error'] = describe(error)
    console.print(
        f'{row["name"]} failed: {row["error"]}',
        soft_wrap=True,
        highlight=False,
        markup=False)


def unique_names(configs: Sequence[str]) -> List[str]:
    """Stems of the configs, numbered where they are the same."""
    stems = [Path(config).name.removesuffix('.py') for config in configs]
    seen: Counter = Counter()
    names = []
    for stem in stems:
        seen[stem] += 1
        names.append(stem if seen[stem] == 1 else f'{stem}-{seen[stem]}')
    return names


def check_same_data(configs: Dict[str, Config], metrics: Dict[str,
                                                              dict]) -> str:
    """See that all detectors are tested on the same frames in the same way.

    Args:
        configs (dict[str, Config]): By name.
        metrics (dict[str, dict]): The config of each one's ``VIDMetric``.

    Returns:
        str: The annotation file.

    Raises:
        ValueError: They are not; names the two files.
    """
    first, *others = configs
    data = {
        name: _test_data(name, cfg, metrics[name])
        for name, cfg in configs.items()
    }
    for name in others:
        for what, path in data[first].items():
            other = data[name][what]
            if not _same_file(path, other):
                raise ValueError(
                    f'detectors must be compared on the same data: the {what} '
                    f'of {first} is {path}, that of {name} is {other}')
        for key in SETTINGS:
            default = signature(VIDMetric).parameters[key].default
            ours, theirs = (
                metrics[n].get(key, default) for n in (first, name))
            if ours != theirs:
                raise ValueError(
                    f'detectors must be compared by the same metric: {key} of '
                    f'{first} is {ours}, that of {name} is {theirs}')
    return data[first]['test data']


def _test_data(name: str, cfg: Config, metric: dict) -> Dict[str, str]:
    """Where the frames of a test and their ground truth are."""
    dataset = cfg.test_dataloader.dataset
    while 'ann_file' not in dataset and 'dataset' in dataset:
        dataset = dataset.dataset
    if 'ann_file' not in dataset:
        raise ValueError(f'{name}: test_dataloader.dataset must have one '
                         f'ann_file, got a {dataset.get("type")} without')
    root = dataset.get('data_root') or ''
    ann_file = osp.join(root, dataset.ann_file)
    pictures = (dataset.get('data_prefix') or {}).get('img_path') or ''
    return {
        'test data': ann_file,
        'pictures': osp.join(root, pictures),
        'ground truth': metric.get('ann_file') or ann_file
    }


def _same_file(one: str, other: str) -> bool:
    if osp.exists(one) and osp.exists(other):
        return os.path.samefile(one, other)
    return osp.abspath(one) == osp.abspath(other)
