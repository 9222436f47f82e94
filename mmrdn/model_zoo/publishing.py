# Copyright (c) mmrdn contributors. All rights reserved.
"""Make a checkpoint to publish out of one of a training.

It keeps ``state_dict``, tensors by name, and ``meta``, plain values. The same input gives the same
bytes: no date, no file name and no random order goes in.
"""

import hashlib
import importlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor

from mmrdn.apis.config_files import load_config
from mmrdn.apis.model_loading import classes_of_meta, fitting_model, model_classes
from mmrdn.fileio.checkpoint import check_finite, read_checkpoint, state_dict_of
from mmrdn.fileio.download import shown_url
from mmrdn.fileio.fields import NUMBER
from mmrdn.fileio.json_files import read_json
from mmrdn.fileio.whole_file import whole_file
from mmrdn.utils.config_text import without_run

_PACKAGES = ('mmrdn', 'mmtrack', 'mmdet', 'mmcv', 'mmengine', 'torch')


class Published(NamedTuple):
    """A published checkpoint."""

    path: Path
    is_new: bool  # False: the same file existed already
    checkpoint: dict  # content of the file
    left_out: list[str]  # top-level keys of the original that are not in it


def publish_model(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    config: str | None = None,
    metrics: str | None = None,
    trust_checkpoint: bool = False,
    fp16: bool = False,
) -> Published:
    """Write a checkpoint that holds tensors and plain metadata only.

    After a training with an ``EMAHook`` the weights are the averaged ones: MMEngine saves them as
    ``state_dict``, and the others as ``ema_state_dict``.

    Args:
        checkpoint (str or Path): Path or URL of the original.
        out (str or Path): Directory, or path to which the hash is added: ``zoo/rdn.pth`` becomes
            ``zoo/rdn-1a2b3c4d.pth``. In a directory the file is named after the config, else after
            the experiment.
        config (str, optional): Config file whose model the weights must fit, and whose text is
            kept; by default the text in the original is.
        metrics (str, optional): Path of a file for :func:`read_metrics`.
        trust_checkpoint (bool): Unpickle whatever the original holds.
        fp16 (bool): Whether to store weights in half of the bytes. A model that loads them
            computes in its own precision.

    Returns:
        Published: The file, named after the first 8 digits of its SHA-256.

    Raises:
        FileNotFoundError: The checkpoint, the config or the metrics file does not exist.
        FileExistsError: Another file has that name already.
        ValueError: The checkpoint is damaged, of another model, holds NaN or numbers beyond
            those of fp16, or says neither config nor classes.
    """
    original = read_checkpoint(checkpoint, 'cpu', trust_checkpoint)
    if not isinstance(original.get('meta'), dict):
        original['meta'] = {}
    cfg = load_config(config) if config else None
    try:
        state = _plain_state(original)
        if fp16:
            state = _halved(state)
        meta = _plain_meta(original, cfg)
    except ValueError as error:
        raise ValueError(f'{shown_url(checkpoint)}: {error}') from None
    if metrics:
        meta['metrics'] = read_metrics(metrics)
    # Through JSON: all values become plain, and no two of them share a string by chance.
    published = dict(meta=json.loads(json.dumps(meta)), state_dict=state)
    buffer = io.BytesIO()  # torch.save to a path would put its name in
    torch.save(published, buffer)
    data = buffer.getvalue()
    path = _path(out, checkpoint, config, original, data)
    left_out = [key for key in original if key not in ('meta', 'state_dict')]
    return Published(path, _write(data, path), published, left_out)


def read_metrics(path: str | os.PathLike) -> dict[str, float]:
    """Read the metrics that ``tools/test.py`` wrote.

    Args:
        path (str or Path): Path of ``<time>.json`` in ``<work directory>/<time>``.

    Returns:
        dict[str, float]: Metrics from 0 to 1 by name, such as ``vid/mAP50``, in the order of the
        file. Those that are NaN (motion groups without ground truth) and times are left out.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file holds no metrics.
    """
    found = read_json(path)
    found = found if isinstance(found, dict) else {}
    metrics = {name: value for name, value in found.items() if '/' in name and type(value) in (int, float)}
    if not metrics:
        raise ValueError(f'{path} holds no metrics such as vid/mAP50: expected what tools/test.py writes')
    return {name: value for name, value in metrics.items() if NUMBER.holds(value)}


def _plain_state(original: dict) -> dict[str, Tensor]:
    """Return parameters and buffers, each in its own memory."""
    given = original.get('state_dict')
    if not isinstance(given, dict) or not given:
        raise ValueError('the checkpoint holds no state_dict, weights by name')
    state = state_dict_of(original)
    check_finite(state)
    return {key: value.detach().contiguous().clone() for key, value in state.items()}


def _halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return parameters and buffers, floating point ones as fp16."""
    halved = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    for key, value in halved.items():
        if not torch.isfinite(value).all():
            largest = state[key].abs().max().item()
            raise ValueError(f'{key} cannot be stored as fp16: it holds {largest:.3g}, expected 65504 at most')
    return halved


def _plain_meta(original: dict, cfg: Config | None) -> dict[str, Any]:
    """Return the metadata to keep: config, classes, versions and state of the training."""
    known = original['meta']
    if cfg is None and not isinstance(known.get('cfg'), str):
        raise ValueError('the checkpoint holds no config: say --config')
    versions = {name: str(importlib.import_module(name).__version__) for name in _PACKAGES}
    dataset_meta = dict(classes=_classes(original, cfg))
    palette = (known.get('dataset_meta') or {}).get('palette')
    if palette is not None and not isinstance(palette, str):
        dataset_meta['palette'] = [list(map(int, color)) for color in palette]
    text = cfg.pretty_text if cfg is not None else known['cfg']
    meta = dict(cfg=without_run(text), dataset_meta=dataset_meta, mmrdn_version=versions['mmrdn'], versions=versions)
    kept = dict(iter=int, epoch=int, seed=int, converted_from=str)
    return meta | {key: known[key] for key, kind in kept.items() if isinstance(known.get(key), kind)}


def _classes(original: dict, cfg: Config | None) -> list[str]:
    """Return the class names; with a config those of its model, which the weights must fit."""
    if cfg is None:
        names = classes_of_meta(original['meta'].get('dataset_meta'))
        if names is None:
            raise ValueError('the checkpoint names no classes: say --config')
        return list(names)
    return list(model_classes(cfg, fitting_model(cfg, original), original))


def _path(
    out: str | os.PathLike, checkpoint: str | os.PathLike, config: str | None, original: dict, data: bytes
) -> Path:
    """Return the path of the published file."""
    if str(out).endswith(os.sep) or Path(out).is_dir():
        experiment = str(original['meta'].get('experiment_name', ''))
        name = Path(config).stem if config else re.sub(r'_\d{8}_\d{6}$', '', experiment)
        # The checkpoint may be anybody's: its name must not choose a directory.
        name = re.sub(r'[^\w.+-]', '_', name).lstrip('.')
        directory, name = Path(out), name or Path(checkpoint).stem
    else:
        directory, name = Path(out).parent, Path(out).name.removesuffix('.pth')
    return directory / f'{name}-{hashlib.sha256(data).hexdigest()[:8]}.pth'


def _write(data: bytes, path: Path) -> bool:
    """Write a file unless it exists already; return whether it is new."""
    if os.path.lexists(path):
        if path.is_file() and path.read_bytes() == data:
            return False
        raise FileExistsError(f'{path} exists and is not the file that its name says; remove it or choose another name')
    with whole_file(path) as file:
        file.write(data)
    return True
