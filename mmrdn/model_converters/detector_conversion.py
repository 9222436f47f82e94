# Copyright (c) mmrdn contributors. All rights reserved.
"""Turn a Faster R-CNN from elsewhere into a checkpoint that a video detector starts from."""

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
from mmrdn.model_converters.layer_transfer import LayerTransfer
from mmrdn.model_converters.predictor_rows import FC_CLS, FC_REG, RPN_CLS, RPN_REG, PredictorRows
from mmrdn.model_converters.source_detector import SourceDetector, detector_settings
from mmrdn.registry import MODELS
from mmrdn.version import __version__

# Layers of the box head in their order.
_BOX = 'roi_head.bbox_head.'
_SHARED = ('roi_head.shared_head', f'{_BOX}shared_convs', f'{_BOX}shared_fcs')
_CLS = (f'{_BOX}cls_convs', f'{_BOX}cls_fcs')
_REG = (f'{_BOX}reg_convs', f'{_BOX}reg_fcs')


class Conversion(NamedTuple):
    """Result of a conversion."""

    checkpoint: dict  # new checkpoint
    coverage: KeyCoverage  # record of the source's entries
    unfilled: tuple[str, ...]  # entries of the model that the checkpoint lacks


def convert_detector(source: SourceDetector, cfg: Config, seed: int = 0) -> Conversion:
    """Turn a Faster R-CNN from elsewhere into a start for a video detector.

    Layers that fit are taken over, rows of predictors by anchor and class. A layer whose input
    would be another one than in the source keeps its initial values, however well its shape fits.

    Args:
        source (SourceDetector): Result of :func:`read_source`.
        cfg (Config): Config of the video detector; its ``model.detector`` is filled.
        seed (int): Seed of the initial rows for anchors and classes that the source lacks.

    Returns:
        Conversion: The checkpoint holds the entries taken over and nothing else, for ``load_from``.

    Raises:
        ValueError: The backbone or its input is another one, or the config has no detector.
    """
    settings, data_preprocessor = _model_settings(cfg)
    model, classes = _build(cfg, seed)
    detector = model.detector
    source = adapt_backbone(source, detector, settings['backbone'], data_preprocessor)
    transfer = LayerTransfer(source, detector.state_dict())
    transfer.fill_backbone()
    rows = PredictorRows(source, detector, classes)
    broken = transfer.fill_layers(['neck'])
    _fill_rpn(transfer, model, rows, broken)
    _fill_box_head(transfer, rows, broken)
    transfer.fill_rest()
    meta = dict(mmrdn_version=__version__, converted_from=source.name)
    if classes:
        meta['dataset_meta'] = dict(classes=classes)
    state = {f'detector.{key}': value for key, value in transfer.filled.items()}
    unfilled = tuple(key for key in model.state_dict() if key not in state)
    return Conversion(dict(meta=meta, state_dict=state), transfer.coverage, unfilled)


def _fill_rpn(transfer: LayerTransfer, model: nn.Module, rows: PredictorRows, broken: str | None) -> None:
    has_neck = any(key.startswith('neck.') for key in transfer.source.state)
    if not has_neck and _rpn_sees_backbone(model):
        broken = None
    broken = transfer.fill_layers(['rpn_head.rpn_conv'], broken)
    transfer.fill_predictors((RPN_CLS, RPN_REG), rows.rpn, broken)


@torch.no_grad()
def _rpn_sees_backbone(model: nn.Module) -> bool:
    """Return whether the maps that the RPN reads pass the neck unchanged."""
    if not model.detector.with_neck:
        return True
    maps = model.detector.backbone(torch.zeros(1, 3, 64, 64))
    seen = model.detector.neck(maps)
    inds = getattr(model, 'rpn_in_indices', None)
    return all(any(seen[i] is given for given in maps) for i in (range(len(seen)) if inds is None else inds))


def _fill_box_head(transfer: LayerTransfer, rows: PredictorRows, broken: str | None) -> None:
    broken = transfer.fill_layers(_SHARED, broken)
    transfer.fill_predictors([FC_CLS], rows.fc_cls, transfer.fill_layers(_CLS, broken))
    transfer.fill_predictors([FC_REG], rows.fc_reg, transfer.fill_layers(_REG, broken))


def _model_settings(cfg: Config) -> tuple[dict, dict]:
    """Return the configs of the video detector's detector and its input."""
    if not isinstance(cfg.model.get('detector'), dict):
        raise ValueError('the config has no "model.detector", expected a video detector')
    try:
        return detector_settings(cfg)
    except ValueError as error:
        raise ValueError(f'the config has {error}') from None


def _build(cfg: Config, seed: int) -> tuple[nn.Module, tuple[str, ...] | None]:
    """Return the model, its heads with initial values, and the names of its classes."""
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
    """Silence MMEngine, which logs how each parameter was initialized."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
