# Copyright (c) mmrdn contributors. All rights reserved.
"""Entries of ``configs/*/metafile.yml``: cost, results and weights of a model."""

import os
import re
import warnings
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmrdn.apis.config_files import load_config
from mmrdn.apis.model_loading import fitting_model
from mmrdn.fileio.checkpoint import read_checkpoint
from mmrdn.fileio.download import file_hash
from mmrdn.model_zoo.model_complexity import FRAME_SIZE, count_complexity
from mmrdn.model_zoo.publishing import read_metrics
from mmrdn.utils.config_types import type_name
from mmrdn.utils.dataset_configs import leaf_datasets

_TASK = 'Video Object Detection'
_DATASETS = dict(ImageNetVIDDataset='ImageNet VID', MovingDigitsDataset='Moving Digits')
_SHOWN = ('mAP50', 'mAP50_slow', 'mAP50_medium', 'mAP50_fast')


def make_entry(
    config: str,
    checkpoint: str | None = None,
    weights: str | None = None,
    metrics: str | None = None,
    dataset: str | None = None,
    frame_size: tuple[int, int] = FRAME_SIZE,
) -> dict[str, Any]:
    """Return the entry of a config, as far as it is known.

    Args:
        config (str): Config file, below a directory with ``model-index.yml``.
        checkpoint (str, optional): Published checkpoint of the config.
        weights (str, optional): URL of the checkpoint, or its path relative to the directory of
            ``model-index.yml``, which VideoInferencer reads and ``mim download`` does not.
        metrics (str, optional): Path of a file for :func:`read_metrics`; by default the metrics in
            the checkpoint.
        dataset (str, optional): Name of the data set of the results; known for ImageNet VID and
            moving digits.
        frame_size (tuple[int, int]): Width and height of a frame, see :func:`count_complexity`.

    Returns:
        dict: The entry. Metrics are in percent.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: Config, checkpoint, weights and metrics do not belong together.
    """
    root = find_root(config)
    cfg = load_config(config, needs=('train_cfg', 'train_dataloader', 'test_dataloader'))
    measured = {} if metrics is None else read_metrics(metrics)
    if checkpoint is not None:
        meta = _read_published(checkpoint, cfg)
        measured = measured or meta.get('metrics', {})
    known: dict[str, Any] = {}
    if measured:
        known['Results'] = [_result(measured, cfg, dataset)]
    if weights is not None:
        if checkpoint is not None and Path(weights).name != Path(checkpoint).name:
            raise ValueError(f'the weights {weights} must be named {Path(checkpoint).name}, as the checkpoint is')
        if not re.match('https?://', weights) and not (root / weights).is_file():
            raise FileNotFoundError(f'weights {weights} are neither a URL nor a file below {root}')
        known['Weights'] = weights
    name = Path(config).stem
    return dict(
        Name=name,
        Config=Path(config).resolve().relative_to(root).as_posix(),
        Metadata=_metadata(cfg, name, frame_size),  # takes longest
        **known,
    )


def find_root(config: str | os.PathLike) -> Path:
    """Return the directory of ``model-index.yml`` above a file in ``configs``.

    Raises:
        ValueError: There is none.
    """
    path = Path(config).resolve()
    for root in path.parents:
        if (root / 'model-index.yml').is_file() and (root / 'configs') in path.parents:
            return root
    raise ValueError(f'{config}: expected the path of a file in the configs directory beside a model-index.yml')


def _metadata(cfg: Config, name: str, frame_size: tuple[int, int]) -> dict[str, Any]:
    """Return schedule and cost of a model."""
    schedule = dict(max_iters='Iterations', max_epochs='Epochs')
    metadata = {title: cfg.train_cfg[key] for key, title in schedule.items() if key in cfg.train_cfg}
    gpus = re.search(r'_(\d+)xb\d', name)  # the name says how many
    metadata['Batch Size'] = cfg.train_dataloader.batch_size * (int(gpus.group(1)) if gpus else 1)
    cost = count_complexity(cfg, frame_size)
    metadata['Parameters'] = cost.parameters
    if cost.flops is not None:
        pool = f'pool of {cost.pool_frames} frames' if cost.pool_frames else 'no pool'
        metadata['FLOPs'] = cost.flops
        metadata['FLOPs Input'] = '{}x{} pixels, '.format(*cost.input_size) + pool
    return metadata


def _read_published(checkpoint: str, cfg: Config) -> dict[str, Any]:
    """Return the metadata of a checkpoint, which must fit the config."""
    loaded = read_checkpoint(checkpoint, 'cpu')
    meta = loaded.get('meta')
    has_hash = checkpoint.endswith(f'-{file_hash(checkpoint)[:8]}.pth')
    if not isinstance(meta, dict) or 'mmrdn_version' not in meta or not has_hash:
        raise ValueError(f'{checkpoint} was not published by tools/model_converters/publish_model.py')
    try:
        fitting_model(cfg, loaded)
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from None
    planned = cfg.train_cfg.get('max_iters')
    if planned and meta.get('iter', planned) != planned:
        warnings.warn(f'{checkpoint} is of iteration {meta["iter"]}, the config trains {planned}')
    return meta


def _result(measured: dict[str, float], cfg: Config, dataset: str | None) -> dict[str, Any]:
    """Return a result of a model, its metrics in percent."""
    metrics = {name: round(100 * measured[f'vid/{name}'], 2) for name in _SHOWN if f'vid/{name}' in measured}
    if 'mAP50' not in metrics:
        raise ValueError('the metrics lack vid/mAP50, the mean over classes of VIDMetric')
    kind = type_name(leaf_datasets(cfg.test_dataloader.dataset)[0])
    name = dataset or _DATASETS.get(kind)
    if name is None:
        raise ValueError(f'the name of the data set of a {kind} is not known: say --dataset')
    return dict(Task=_TASK, Dataset=name, Metrics=metrics)
