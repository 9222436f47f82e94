# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import copy
import logging
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn as nn
from mmdet.models import BBoxHead
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from mmrdn.apis.model_loading import class_names
from mmrdn.model_converters.backbone_conventions import adapt_backbone
from mmrdn.model_converters.key_coverage import KeyCoverage
from mmrdn.model_converters.layer_carrier import LayerCarrier
from mmrdn.model_converters.mmdet_source import settings_of
from mmrdn.model_converters.predictor_carrier import (
    FC_CLS,
    FC_REG,
    RPN_CLS,
    RPN_REG,
    carry_class_deltas,
    carry_class_logits,
    carry_rpn_predictors,
    drop_layer,
)
from mmrdn.model_converters.source_detector import SourceDetector
from mmrdn.registry import MODELS
from mmrdn.version import __version__

# Layers of the box head in their order.
_BOX = 'roi_head.bbox_head.'
_SHARED = ('roi_head.shared_head', f'{_BOX}shared_convs', f'{_BOX}shared_fcs')
_CLS = (f'{_BOX}cls_convs', f'{_BOX}cls_fcs')
_REG = (f'{_BOX}reg_convs', f'{_BOX}reg_fcs')


class Conversion(NamedTuple):
    """What came of a conversion."""

    checkpoint: dict  # to be saved
    coverage: KeyCoverage  # what became of the source
    unfilled: tuple[str, ...]  # entries of the model that it does not have


def convert_detector(source: SourceDetector, cfg: Config, seed: int = 0) -> Conversion:
    """Turn a Faster R-CNN from elsewhere into a start for a video detector.

    What fits is carried over, with rows of predictors by anchor and class. A layer that would get
    another input than in the source is left to its initial values, however well its shape fits.

    Args:
        source (SourceDetector): From :func:`read_source`.
        cfg (Config): Of the video detector; its ``model.detector`` is filled.
        seed (int): Of the initial rows of anchors and classes that the source has not.

    Returns:
        Conversion: The checkpoint holds what was carried over and nothing
        else, for ``load_from``.

    Raises:
        ValueError: The backbone or its input is another one, or the config has no detector.
    """
    settings, data_preprocessor = _settings(cfg)
    model, classes = _build(cfg, seed)
    detector = model.detector
    carrier = LayerCarrier(source, detector.state_dict())
    adapt_backbone(carrier, detector, settings['backbone'], data_preprocessor)
    carrier.carry_backbone()
    neck = carrier.carry_layers(['neck'])
    _carry_rpn(carrier, model, neck)
    _carry_box_head(carrier, detector, neck, classes)
    carrier.carry_rest()
    carrier.coverage.check_complete()
    meta = dict(mmrdn_version=__version__, converted_from=source.name)
    if classes:
        meta['dataset_meta'] = dict(classes=classes)
    state = {f'detector.{key}': value for key, value in carrier.filled.items()}
    unfilled = tuple(key for key in model.state_dict() if key not in state)
    return Conversion(dict(meta=meta, state_dict=state), carrier.coverage, unfilled)


def _carry_rpn(carrier: LayerCarrier, model: nn.Module, broken: str | None) -> None:
    has_neck = any(key.startswith('neck.') for key in carrier.state)
    if not has_neck and _rpn_sees_backbone(model):
        broken = None
    broken = carrier.carry_layers(['rpn_head.rpn_conv'], broken)
    if not broken:
        carry_rpn_predictors(carrier, model.detector.rpn_head)
        return
    for layer in (RPN_CLS, RPN_REG):
        drop_layer(carrier, layer, broken)


@torch.no_grad()
def _rpn_sees_backbone(model: nn.Module) -> bool:
    """Whether the neck hands on the maps that the RPN sees as they are."""
    if not model.detector.with_neck:
        return True
    maps = model.detector.backbone(torch.zeros(1, 3, 64, 64))
    seen = model.detector.neck(maps)
    inds = getattr(model, 'rpn_in_indices', None)
    return all(any(seen[i] is given for given in maps) for i in (range(len(seen)) if inds is None else inds))


def _carry_box_head(
    carrier: LayerCarrier, detector: nn.Module, broken: str | None, classes: tuple[str, ...] | None
) -> None:
    broken = carrier.carry_layers(_SHARED, broken)
    above = carrier.carry_layers(_CLS, broken)
    if above:
        drop_layer(carrier, FC_CLS, above)
    else:
        carry_class_logits(carrier, classes)
    above = carrier.carry_layers(_REG, broken)
    if above:
        drop_layer(carrier, FC_REG, above)
    else:
        carry_class_deltas(carrier, detector.roi_head.bbox_head, classes)


def _settings(cfg: Config) -> tuple[dict, dict]:
    """See :func:`settings_of`.

    Raises:
        ValueError: It is no video detector with a Faster R-CNN.
    """
    if not isinstance(cfg.model.get('detector'), dict):
        raise ValueError('the config has no "model.detector", expected a video detector')
    try:
        return settings_of(cfg)
    except ValueError as error:
        raise ValueError(f'the config has {error}') from None


def _build(cfg: Config, seed: int) -> tuple[nn.Module, tuple[str, ...] | None]:
    """The model, its heads with initial values, and names of its classes."""
    settings = copy.deepcopy(cfg.model)
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    scope = DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrdn')
    with scope, torch.random.fork_rng(), _quiet():
        torch.manual_seed(seed)
        model = MODELS.build(settings)
        heads = model.detector.rpn_head, model.detector.roi_head.bbox_head
        if not isinstance(heads[1], BBoxHead):
            raise ValueError('the model of the config has several box heads, expected a Faster R-CNN')
        for head in heads:  # not the backbone: it may have to be downloaded
            head.init_weights()
        dataset = cfg.get('test_dataloader', {}).get('dataset')
        names = dataset and class_names(heads[1].num_classes, dataset, {})
    return model.eval(), names


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MMEngine logs how each parameter was initialised."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
