# Copyright (c) mmrdn contributors. All rights reserved.
"""From a training checkpoint to one to publish.

What stays is ``state_dict``, tensors by name, and ``meta``, plain values. The same input gives the
same bytes: no date, no name of a file, no order of chance goes in.
"""

import ast
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
from mmrdn.apis.model_loading import build_model, model_classes
from mmrdn.engine.hooks import check_finite, check_state_dict, state_dict_of
from mmrdn.fileio.checkpoint import read_checkpoint
from mmrdn.fileio.download import shown_address
from mmrdn.fileio.whole_file import whole_file
from mmrdn.model_zoo.metric_file import read_metrics

_PACKAGES = ('mmrdn', 'mmtrack', 'mmdet', 'mmcv', 'mmengine', 'torch')
# Settings of one run on one machine; nothing of the model.
_OF_THE_RUN = ('work_dir', 'load_from', 'resume', 'launcher')


class Published(NamedTuple):
    """What became of a checkpoint."""

    path: Path
    is_new: bool  # False: the very file was there already
    checkpoint: dict  # what the file holds
    left_out: list[str]  # entries of the original at its top


def publish_model(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    config: str | None = None,
    metrics: str | None = None,
    trust_checkpoint: bool = False,
) -> Published:
    """Write a checkpoint that holds tensors and plain metadata only.

    Of a training with an ``EMAHook`` these are the averaged weights: MMEngine saves them as
    ``state_dict``, and the others as ``ema_state_dict``.

    Args:
        checkpoint (str or Path): File or address of the original.
        out (str or Path): A folder, or a path to which the hash is added: ``zoo/rdn.pth`` becomes
            ``zoo/rdn-1a2b3c4d.pth``. In a folder the name is that of the config, else of the
            experiment.
        config (str, optional): Config file. The weights must fit its model, its text goes in; else
            the text in the original does.
        metrics (str, optional): See :func:`read_metrics`.
        trust_checkpoint (bool): Unpickle whatever the original holds.

    Returns:
        Published: The file, named after the first 8 digits of its SHA-256.

    Raises:
        FileNotFoundError: There is no such checkpoint, config or metrics file.
        FileExistsError: Another file has that name already.
        ValueError: The checkpoint is damaged, of another model, holds NaN, or says neither config
            nor classes.
    """
    original = read_checkpoint(checkpoint, 'cpu', trust_checkpoint)
    if not isinstance(original.get('meta'), dict):
        original['meta'] = {}
    cfg = load_config(config) if config else None
    try:
        state = _plain_state(original)
        meta = _plain_meta(original, cfg)
    except ValueError as error:
        raise ValueError(f'{shown_address(checkpoint)}: {error}') from None
    if metrics:
        meta['metrics'] = read_metrics(metrics)
    # Through JSON: plain it is, and no string is shared by chance.
    published = dict(meta=json.loads(json.dumps(meta)), state_dict=state)
    data = _to_bytes(published)
    path = _path(out, checkpoint, config, original, data)
    left_out = [key for key in original if key not in ('meta', 'state_dict')]
    return Published(path, _write(data, path), published, left_out)


def _plain_state(original: dict) -> dict[str, Tensor]:
    """Parameters and buffers, each in memory of its own."""
    given = original.get('state_dict')
    if not isinstance(given, dict) or not given:
        raise ValueError('the checkpoint holds no state_dict, weights by name')
    state = state_dict_of(original)
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'{key} of the checkpoint is a {type(value).__name__}, expected a tensor')
    check_finite(state)
    return {key: value.detach().contiguous().clone() for key, value in state.items()}


def _plain_meta(original: dict, cfg: Config | None) -> dict[str, Any]:
    """What a reader wants to know of the weights."""
    known = original['meta']
    if cfg is None and 'cfg' not in known:
        raise ValueError('the checkpoint holds no config: say --config')
    versions = {name: str(importlib.import_module(name).__version__) for name in _PACKAGES}
    dataset_meta = dict(classes=_classes(original, cfg))
    palette = (known.get('dataset_meta') or {}).get('palette')
    if palette is not None:
        dataset_meta['palette'] = [list(map(int, color)) for color in palette]
    text = cfg.pretty_text if cfg is not None else known['cfg']
    meta = dict(cfg=_without_run(text), dataset_meta=dataset_meta, mmrdn_version=versions['mmrdn'], versions=versions)
    for key in ('iter', 'epoch', 'seed'):
        if isinstance(known.get(key), int):
            meta[key] = known[key]
    if isinstance(known.get('converted_from'), str):
        meta['converted_from'] = known['converted_from']
    return meta


def _classes(original: dict, cfg: Config | None) -> list[str]:
    """Class names; with a config, of its model, which the weights fit."""
    if cfg is None:
        dataset_meta = original['meta'].get('dataset_meta') or {}
        names = dataset_meta.get('classes', dataset_meta.get('CLASSES'))
        if not names:
            raise ValueError('the checkpoint names no classes: say --config')
        return [names] if isinstance(names, str) else list(map(str, names))
    with torch.device('meta'):
        model = build_model(cfg)
    check_state_dict(model, original)
    return list(model_classes(cfg, model, original))


def _without_run(text: str) -> str:
    """The text of a config without what concerns one run of it."""
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError(f'line {error.lineno} of the config in the checkpoint: {error.msg}') from None
    lines = text.splitlines()
    for node in statements:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in _OF_THE_RUN:
            for number in range(node.lineno - 1, node.end_lineno):
                lines[number] = None
    return '\n'.join(line for line in lines if line is not None) + '\n'


def _to_bytes(checkpoint: dict) -> bytes:
    """What ``torch.save`` writes, which names the file that it writes to."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    return buffer.getvalue()


def _path(
    out: str | os.PathLike, checkpoint: str | os.PathLike, config: str | None, original: dict, data: bytes
) -> Path:
    """Where the checkpoint goes."""
    if str(out).endswith(os.sep) or Path(out).is_dir():
        experiment = str(original['meta'].get('experiment_name', ''))
        name = Path(config).stem if config else re.sub(r'_\d{8}_\d{6}$', '', experiment)
        # The checkpoint may be anybody's: no folder of its choosing.
        name = re.sub(r'[^\w.+-]', '_', name).lstrip('.')
        folder, name = Path(out), name or Path(checkpoint).stem
    else:
        folder, name = Path(out).parent, Path(out).name.removesuffix('.pth')
    return folder / f'{name}-{hashlib.sha256(data).hexdigest()[:8]}.pth'


def _write(data: bytes, path: Path) -> bool:
    """Write a file unless it is there; under its name when it is whole.

    Returns:
        bool: Whether it was not there.
    """
    if os.path.lexists(path):
        if path.is_file() and path.read_bytes() == data:
            return False
        raise FileExistsError(f'{path} exists and is not the file that its name says; remove it or choose another name')
    with whole_file(path) as file:
        file.write(data)
    return True
