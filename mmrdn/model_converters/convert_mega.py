# Copyright (c) mmrdn contributors. All rights reserved.
"""From a checkpoint of the public MEGA repository to one of ours."""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from mmrdn.apis.model_loading import build_model, model_classes, resolve_config
from mmrdn.fileio.checkpoint import check_state_dict, read_checkpoint, state_dict_of
from mmrdn.fileio.download import shown_url
from mmrdn.model_converters.key_coverage import KeyCoverage
from mmrdn.model_converters.mega_layout import ANCHORS, detect_model, slot_of
from mmrdn.model_converters.norm_epsilon import rescale_norm
from mmrdn.models import RDN
from mmrdn.version import __version__

_COUNTER = '.num_batches_tracked'
_EPSILON = 'scaled for the epsilon of our batch norm, theirs adds none'


class MegaConversion(NamedTuple):
    """What came of a conversion."""

    checkpoint: dict  # to be saved
    coverage: KeyCoverage  # what became of the source's parameters
    config: str  # name or path
    left_out: tuple[str, ...]  # what the file held besides parameters


def convert_mega(
    checkpoint: str | os.PathLike, config: str | None = None, trust_checkpoint: bool = False
) -> MegaConversion:
    """Convert single frame, RDN-base or RDN; ResNet-50 or ResNet-101.

    Args:
        checkpoint (str or Path): File or address.
        config (str, optional): See :func:`mmrdn.apis.find_model`. If not given, the one in
            ``configs/rdn_mega`` that is this model.
        trust_checkpoint (bool): Unpickle whatever the file holds.

    Returns:
        MegaConversion: The new checkpoint holds tensors and plain values, and
        every parameter of the config's model.

    Raises:
        FileNotFoundError: There is no such file or config.
        ValueError: It is no such checkpoint, damaged, or of another model than the config; names
            the first entry.
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
        cfg=cfg.pretty_text,
        dataset_meta=dict(classes=list(classes)),
        converted_from=Path(shown_url(checkpoint)).name,
    )
    left_out = tuple(loaded.keys() - {'model'}) if 'model' in loaded else ()
    return MegaConversion(dict(meta=meta, state_dict=converted), coverage, config, tuple(sorted(left_out)))


def _parameters(loaded: dict) -> dict[str, Tensor]:
    """The state dict, without what data parallel wrappers put before names."""
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
    """Fill a model, by name and shape.

    Args:
        state (dict[str, Tensor]): Parameters in MEGA's layout.
        model (RDN): What to fill; its parameters are not touched.
        kind (str): See :class:`MegaModel`.

    Returns:
        tuple[dict[str, Tensor], KeyCoverage]: Parameters in ours, in memory of
        their own, and what became of MEGA's.

    Raises:
        ValueError: An entry is missing, unknown or of another shape; names the first.
    """
    coverage, converted = KeyCoverage(state), {}
    for key, wanted in model.state_dict().items():
        if key.endswith(_COUNTER):  # frozen batch norm counts no steps
            converted[key] = torch.zeros((), dtype=wanted.dtype)
            continue
        slot = slot_of(key, kind)
        if slot is None:
            raise ValueError(f'the model of the config has {key}, which no entry of a {kind} checkpoint fills')
        shape = slot.change.given_shape(tuple(wanted.shape))
        if slot.source not in state:
            raise ValueError(f'it lacks {slot.source}, expected {shape}')
        value = state[slot.source]
        if tuple(value.shape) != shape:
            raise ValueError(f'{slot.source} is {tuple(value.shape)}, expected {shape}')
        value, note = slot.change.apply(value), slot.change.note
        norm = slot.source.removesuffix('.weight')
        variance = state.get(f'{norm}.running_var')
        if variance is not None and variance.shape == value.shape:
            value, note = _norm_weight(norm, value, variance), _EPSILON
        converted[key] = value.to(wanted.dtype).clone()
        coverage.use(slot.source, key, note)
    _check_anchors(state, model)
    coverage.drop(ANCHORS, 'equal to those of the config')
    for key in state:
        if key not in coverage.used and key != ANCHORS:
            raise ValueError(f'{key} is unknown: the model of the config has no place for it')
    return converted, coverage


def _norm_weight(norm: str, weight: Tensor, variance: Tensor) -> Tensor:
    """Weights of ours for those of a batch norm that adds no epsilon."""
    try:
        return rescale_norm(weight, variance, theirs=0.0, ours=1e-5)
    except ValueError as error:
        raise ValueError(f'{norm}.running_var {error}') from None


def _check_anchors(state: dict[str, Tensor], model: RDN) -> None:
    """Refuse anchors that are not those of the model."""
    (wanted,) = model.detector.rpn_head.prior_generator.base_anchors
    if ANCHORS not in state:
        raise ValueError(f'it lacks {ANCHORS}, expected {tuple(wanted.shape)}')
    given = state[ANCHORS].to(wanted)
    if given.shape != wanted.shape:
        raise ValueError(f'{ANCHORS} is {tuple(given.shape)}, expected {tuple(wanted.shape)}')
    for i, (theirs, ours) in enumerate(zip(given.tolist(), wanted.tolist())):
        if theirs != ours:
            raise ValueError(f'{ANCHORS}: anchor {i} is {theirs}, that of the config {ours}')
