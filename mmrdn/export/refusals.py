# Copyright (c) mmrdn contributors. All rights reserved.
"""Reasons why a model cannot be exported, given before anything is written."""

from collections.abc import Iterator
from typing import Any

import torch.nn as nn
from mmcv.transforms import Resize as CvResize
from mmdet.models import ConvFCBBoxHead
from mmdet.models.dense_heads import RPNHead
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder
from mmengine.config import Config
from mmtrack.models import TrackDataPreprocessor

from mmrdn.export.exportable_roi_extractor import ExportableRoIExtractor
from mmrdn.export.exportable_swin import swin_refusals
from mmrdn.models import RDN
from mmrdn.models.roi_heads import RDNCascadeRoIHead, RDNRoIHead
from mmrdn.models.roi_heads.bbox_heads import RDNBBoxHead
from mmrdn.utils.config_types import type_name
from mmrdn.utils.dataset_configs import leaf_datasets

_RESIZES = ('Resize', 'ShorterSideResize')
_RESIZE_KEYS = {'type', 'scale', 'keep_ratio', 'backend', 'interpolation'}


def check_exportable(model: RDN, cfg: Config) -> None:
    """Refuse a detector that the graphs or the runtime have no like of.

    Args:
        model (RDN): The detector.
        cfg (Config): Its config, with the test pipeline.

    Raises:
        ValueError: Something cannot be exported; names all of it.
    """
    found = [*_model_refusals(model), *_pipeline_refusals(resize_config(cfg))]
    if found:
        raise ValueError(f'this model cannot be exported: {"; ".join(found)}')


def resize_config(cfg: Config) -> dict[str, Any]:
    """Return the resize transform of the test pipeline.

    Raises:
        ValueError: The pipeline has other transforms, which the runtime has no like of.
    """
    pipeline = leaf_datasets(cfg.test_dataloader.dataset)[0].pipeline
    loaders = ('LoadFrame', 'LoadFrameFromVideo', 'LoadImageFromFile')
    known = (*loaders, *_RESIZES, 'PackTrackInputs', 'LoadTrackAnnotations')
    others = [type_name(t) for t in pipeline if type_name(t) not in known]
    resizes = [t for t in pipeline if type_name(t) in _RESIZES]
    if others or len(resizes) != 1:
        raise ValueError(
            f'this model cannot be exported: the test pipeline must load, Resize once and pack, got '
            f'{", ".join(type_name(t) for t in pipeline)}'
        )
    return dict(resizes[0])


def resize_settings(cfg: Config) -> dict[str, Any]:
    """Return name and scale of the resize transform as the runtime knows them."""
    resize = resize_config(cfg)
    if type_name(resize) == 'ShorterSideResize':
        return dict(resize='shorter_side', scale=[resize['longest'], resize['shorter']])
    return dict(resize='keep_ratio', scale=list(resize['scale']))


def _pipeline_refusals(resize: dict[str, Any]) -> Iterator[str]:
    if type_name(resize) == 'ShorterSideResize':  # it has no options of its own kind
        return
    if set(resize) - _RESIZE_KEYS or not resize.get('keep_ratio') or not isinstance(resize.get('scale'), (tuple, list)):
        yield f'Resize must have a scale (width, height) and keep_ratio=True, got {resize}'
    for key, usual in (('backend', 'cv2'), ('interpolation', 'bilinear')):
        if resize.get(key, usual) != usual:
            yield f'{CvResize.__name__} with {key}={resize[key]!r}, expected {usual!r}'


def _model_refusals(model: RDN) -> Iterator[str]:
    detector, head = model.detector, model.detector.roi_head
    rpn = getattr(detector, 'rpn_head', None)
    for name, part, kinds in (
        ('model', model, (RDN,)),
        ('data_preprocessor', model.data_preprocessor, (TrackDataPreprocessor,)),
        ('rpn_head', rpn, (RPNHead,)),
        ('roi_head', head, (RDNRoIHead, RDNCascadeRoIHead)),
    ):
        if type(part) not in kinds:
            yield f'{name} {type(part).__name__}, expected {" or ".join(kind.__name__ for kind in kinds)}'
            return
    yield from swin_refusals(detector.backbone, model.data_preprocessor.pad_size_divisor)
    yield from _head_refusals(head)
    if not isinstance(rpn.prior_generator, AnchorGenerator):
        yield f'anchor generator {type(rpn.prior_generator).__name__}, expected AnchorGenerator'
    yield from _coder_refusals('rpn_head', rpn)
    for name, part in (('rpn', rpn.test_cfg), ('rcnn', head.test_cfg)):
        if part.nms.get('type', 'nms') != 'nms' or set(part.nms) - {'type', 'iou_threshold', 'offset', 'split_thr'}:
            yield f'test_cfg.{name}.nms {dict(part.nms)}, expected type nms with an iou_threshold'
    if rpn.test_cfg.get('nms_pre', 0) < 1 or rpn.test_cfg.max_per_img < 1:
        yield 'test_cfg.rpn must limit nms_pre and max_per_img'
    if model.window_cfg.get('type', '').rpartition('.')[2] != 'SlidingWindow':
        yield f'window {model.window_cfg.get("type")}, expected SlidingWindow'
    if model.neck is not None and not getattr(model.neck, 'caches_supports', False):
        yield f'neck {type(model.neck).__name__}, expected a RelationAggregator of ObjectRelationModule'


def _head_refusals(head: RDNRoIHead | RDNCascadeRoIHead) -> Iterator[str]:
    """Yield what is wrong with a RoI head, with the stages of a cascade one by one."""
    stages, last = getattr(head, 'num_stages', 1), head.relation_head
    if type(last) is not RDNBBoxHead:
        yield f'bbox_head {type(last).__name__}, expected RDNBBoxHead'
    heads, extractors = (x if stages > 1 else [x] for x in (head.bbox_head, head.bbox_roi_extractor))
    for stage, (bbox_head, extractor) in enumerate(zip(heads, extractors)):
        name = 'bbox_head' if stages == 1 else f'bbox_head {stage}'
        if not isinstance(bbox_head, ConvFCBBoxHead) or not bbox_head.with_cls or not bbox_head.with_reg:
            yield f'{name} {type(bbox_head).__name__}, expected a ConvFCBBoxHead that classifies and regresses'
        yield from _coder_refusals(name, bbox_head)
        if reason := ExportableRoIExtractor.refusal(extractor):
            yield reason


def _coder_refusals(name: str, head: nn.Module) -> Iterator[str]:
    if type(head.bbox_coder) is not DeltaXYWHBBoxCoder or not head.bbox_coder.clip_border:
        yield f'bbox_coder {type(head.bbox_coder).__name__} of {name}, expected DeltaXYWHBBoxCoder that clips'
