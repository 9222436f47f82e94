# Copyright (c) mmrdn contributors. All rights reserved.
"""Turn a checkpoint of the public MEGA repository into one of ours."""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from mmrdn.apis.model_loading import build_model, model_classes, resolve_config
from mmrdn.fileio.checkpoint import check_state_dict, read_checkpoint, state_dict_of
from mmrdn.fileio.download import shown_url
from mmrdn.model_converters.backbone_conventions import rescale_norm
from mmrdn.model_converters.key_coverage import KeyCoverage
from mmrdn.model_converters.mega_layout import ANCHORS, detect_model, mega_parameter
from mmrdn.models import RDN
from mmrdn.utils.config_text import without_run
from mmrdn.version import __version__

_COUNTER = '.num_batches_tracked'
_EPSILON = 'scaled for the epsilon of our batch norm, theirs adds none'


class MegaConversion(NamedTuple):
    """Result of a conversion."""

    checkpoint: dict  # new checkpoint
    coverage: KeyCoverage  # record of the source's parameters
    config: str  # name or path of the model's config
    left_out: tuple[str, ...]  # other things that the file held


def convert_mega(
    checkpoint: str | os.PathLike, config: str | None = None, trust_checkpoint: bool = False
) -> MegaConversion:
    """Convert single frame, RDN-base or RDN; ResNet-50 or ResNet-101.

    Args:
        checkpoint (str or Path): Path or URL.
        config (str, optional): Path or name, as for :func:`mmrdn.apis.find_model`. Default: the
            config in ``configs/rdn_mega`` for this model.
        trust_checkpoint (bool): Unpickle any object that the file holds.

    Returns:
        MegaConversion: The new checkpoint holds tensors and plain values, and every parameter of
        the config's model.

    Raises:
        FileNotFoundError: The file or config does not exist.
        ValueError: The file is no such checkpoint, damaged, or does not fit the config; the message
            names the first entry.
    """
    loaded = read_checkpoint(checkpoint, 'cpu', trust_checkpoint)
    try:
        state = _parameters(loaded)
        found = detect_model(state)
        config = config or found.config
        cfg, _ = resolve_config(config)
        with torch.device('meta'):
            model = build_model(cfg)
        converted, coverage = convert_state_dict(state, model, found.kind)
        check_state_dict(model, dict(state_dict=converted))
        classes = model_classes(cfg, model, {})
    except ValueError as error:
        raise ValueError(f'{shown_url(checkpoint)}: {error}') from None
    meta = dict(
        mmrdn_version=__version__,
        cfg=without_run(cfg.pretty_text),
        dataset_meta=dict(classes=list(classes)),
        converted_from=Path(shown_url(checkpoint)).name,
    )
    left_out = sorted(loaded.keys() - {'model'}) if 'model' in loaded else []
    return MegaConversion(dict(meta=meta, state_dict=converted), coverage, config, tuple(left_out))


def _parameters(loaded: dict) -> dict[str, Tensor]:
    """Return the parameters by name, without the prefix of data parallel wrappers."""
    if 'state_dict' in loaded:
        raise ValueError('"state_dict" is where mmrdn and mmdet keep parameters, expected "model", as MEGA does')
    given = loaded.get('model', loaded)
    if not isinstance(given, dict):
        raise ValueError(f'"model" is a {type(given).__name__}, expected the parameters by name')
    state = state_dict_of(dict(state_dict=given))
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'{key} is a {type(value).__name__}, expected a tensor')
    return state


def convert_state_dict(state: dict[str, Tensor], model: RDN, kind: str) -> tuple[dict[str, Tensor], KeyCoverage]:
    """Fill a model by name and shape.

    Args:
        state (dict[str, Tensor]): Parameters in MEGA's layout.
        model (RDN): Model to fill; its parameters are not touched.
        kind (str): Kind of a :class:`MegaModel`.

    Returns:
        tuple[dict[str, Tensor], KeyCoverage]: Parameters in our layout, copied, and the record of
        MEGA's.

    Raises:
        ValueError: An entry is missing, unknown or has another shape; the message names the first.
    """
    coverage, converted = KeyCoverage(state), {}
    for key, wanted in model.state_dict().items():
        if key.endswith(_COUNTER):  # frozen batch norm counts no steps
            converted[key] = torch.zeros((), dtype=wanted.dtype)
            continue
        parameter = mega_parameter(key, kind)
        if parameter is None:
            raise ValueError(f'the model of the config has {key}, which no entry of a {kind} checkpoint fills')
        name, change = parameter
        value, note = change.apply(_entry(state, name, change.given_shape(tuple(wanted.shape)))), change.note
        norm = name.removesuffix('.weight')
        variance = state.get(f'{norm}.running_var')
        if variance is not None and variance.shape == value.shape:
            try:
                value, note = rescale_norm(value, variance, theirs=0.0, ours=1e-5), _EPSILON
            except ValueError as error:
                raise ValueError(f'{norm}.running_var {error}') from None
        converted[key] = value.to(wanted.dtype).clone()
        coverage.use(name, key, note)
    _check_anchors(state, model)
    coverage.drop(ANCHORS, 'equal to those of the config')
    for key in state:
        if not coverage.has(key):
            raise ValueError(f'{key} is unknown: the model of the config has no place for it')
    return converted, coverage


def _entry(state: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """Return an entry; raise ValueError unless it is there and has the shape."""
    if name not in state:
        raise ValueError(f'it lacks {name}, expected {shape}')
    if tuple(state[name].shape) != shape:
        raise ValueError(f'{name} is {tuple(state[name].shape)}, expected {shape}')
    return state[name]


def _check_anchors(state: dict[str, Tensor], model: RDN) -> None:
    """Refuse anchors that differ from the model's."""
    (wanted,) = model.detector.rpn_head.prior_generator.base_anchors
    given = _entry(state, ANCHORS, tuple(wanted.shape)).to(wanted)
    for i, (theirs, ours) in enumerate(zip(given.tolist(), wanted.tolist())):
        if theirs != ours:
            raise ValueError(f'{ANCHORS}: anchor {i} is {theirs}, that of the config {ours}')
