# Copyright (c) mmrdn contributors. All rights reserved.
"""Read a Faster R-CNN of mmdet (>= 2.0), of mmtrack's video detectors, or of torchvision."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor

from mmrdn.fileio.checkpoint import read_checkpoint, state_dict_of
from mmrdn.fileio.download import shown_url
from mmrdn.model_converters.config_text import check_kinds, check_written_out, read_config_text
from mmrdn.model_converters.torchvision_layout import coco_91_classes, default_config, is_torchvision, to_mmdet_layout

_PARTS = ('backbone', 'rpn_head', 'roi_head')  # of a Faster R-CNN in mmdet's configs
_PREFIXES = ('backbone.', 'rpn_head.', 'roi_head.bbox_head.')  # and in its state dicts
_VIDEO = 'detector.'  # prefix of the detector in a video detector


class SourceDetector(NamedTuple):
    """A Faster R-CNN from elsewhere, in the names and the order of mmdet.

    Entries are named as in mmdet's ``FasterRCNN``; anchors vary fastest by scale, then by ratio;
    background is the last class and has no boxes.
    """

    name: str  # file name, for messages
    state: dict[str, Tensor]  # tensors by mmdet's name
    keys: dict[str, str]  # names in the file by mmdet's name
    detector: dict  # mmdet's config of the detector
    data_preprocessor: dict  # mmdet's config of its input
    classes: tuple[str, ...] | None  # class names by label, None if unknown


def read_source(
    checkpoint: str | os.PathLike,
    config: Config | None = None,
    classes: Sequence[str] | None = None,
    trust_checkpoint: bool = False,
) -> SourceDetector:
    """Read the checkpoint of a Faster R-CNN of mmdet, mmtrack or torchvision.

    Args:
        checkpoint (str or Path): Path or URL.
        config (Config, optional): mmdet's config of that detector. Default: the config in the
            checkpoint, or torchvision's own detector.
        classes (Sequence[str], optional): Class names by label, without background. Default: the
            names in the checkpoint, or COCO's if it has torchvision's 91 classes.
        trust_checkpoint (bool): Unpickle any object that the file holds.

    Returns:
        SourceDetector: The detector.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file cannot be read, holds no Faster R-CNN of these, or lacks its config.
    """
    loaded = read_checkpoint(checkpoint, 'cpu', trust_checkpoint)
    name = Path(shown_url(checkpoint)).name
    given = _tensors(name, loaded)
    if is_torchvision(given):
        keys, state = to_mmdet_layout(given)
        detector, data_preprocessor = detector_settings(config or default_config(given))
        known = coco_91_classes() if len(state.get('roi_head.bbox_head.fc_cls.bias', ())) == 91 else None
    elif _is_mmdet(given):
        meta = loaded.get('meta')
        meta = meta if isinstance(meta, dict) else {}
        keys = _detector_keys(given)
        state = {key: given[key_in_file] for key, key_in_file in keys.items()}
        detector, data_preprocessor = _mmdet_settings(name, meta, config)
        known = _class_names(meta)
    else:
        raise ValueError(
            f'{name} is no Faster R-CNN: expected the entries of mmdet >= 2.0 '
            '(backbone.*, rpn_head.*, roi_head.bbox_head.*) or torchvision '
            '(backbone.body.*, rpn.head.*, roi_heads.box_predictor.*), the '
            f'first one is {next(iter(given), "missing")}'
        )
    return SourceDetector(name, state, keys, detector, data_preprocessor, known if classes is None else tuple(classes))


def detector_settings(config: Config) -> tuple[dict, dict]:
    """Find the detector and its input in a config of mmdet 2 or 3, or mmtrack.

    Returns:
        tuple[dict, dict]: ``model`` or, in a video detector, its ``detector``; and ``mean``, ``std``
        and ``bgr_to_rgb`` of the input.

    Raises:
        ValueError: One of them is missing; the message names it.
    """
    model = config.get('model')
    if not isinstance(model, dict):
        raise ValueError('no "model"')
    detector = model.get('detector') or model
    for part in _PARTS:
        if not isinstance(detector.get(part), dict):
            raise ValueError(f'no "{part}" in its model')
    for owner in (model, detector, config):
        if isinstance(owner.get('data_preprocessor'), dict):
            return detector, owner['data_preprocessor']
    normalization = config.get('img_norm_cfg')  # mmdet 2
    if not isinstance(normalization, dict):
        raise ValueError('neither "data_preprocessor" nor "img_norm_cfg"')
    return detector, dict(
        mean=normalization.get('mean'), std=normalization.get('std'), bgr_to_rgb=normalization.get('to_rgb', True)
    )


def _tensors(name: str, loaded: dict) -> dict[str, Tensor]:
    """Return the finite tensors of a checkpoint, which torchvision's script keeps as ``model``."""
    if 'state_dict' not in loaded and isinstance(loaded.get('model'), dict):
        loaded = dict(state_dict=loaded['model'])
    state = state_dict_of(loaded)
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'{key} of {name} is a {type(value).__name__}, expected a tensor')
        if not torch.isfinite(value).all():
            raise ValueError(f'{key} of {name} holds NaN or infinite numbers')
    return state


def _is_mmdet(state: dict[str, Tensor]) -> bool:
    return any(
        all(any(key.startswith(video + prefix) for key in state) for prefix in _PREFIXES) for video in ('', _VIDEO)
    )


def _detector_keys(state: dict[str, Tensor]) -> dict[str, str]:
    """Map mmdet's names to those in the file.

    A part beside the detector of a video detector, such as relation in ``neck``, is not the
    detector's part of that name: it becomes ``video.neck``.
    """
    if not any(key.startswith(_VIDEO) for key in state):
        return {key: key for key in state}
    return {key.removeprefix(_VIDEO) if key.startswith(_VIDEO) else f'video.{key}': key for key in state}


def _mmdet_settings(name: str, meta: dict, config: Config | None) -> tuple[dict, dict]:
    """Return the detector and its input, by the given config or the text in the checkpoint."""
    if config is None:
        texts = [meta[name] for name in ('cfg', 'config') if isinstance(meta.get(name), str)]
        config = read_config_text(next(filter(None, texts), ''))
    try:
        detector, data_preprocessor = detector_settings(config)
        for part in _PARTS:
            check_written_out(detector[part], part)
            check_kinds(detector[part], part)
        check_written_out(data_preprocessor, 'data_preprocessor')
        check_kinds(data_preprocessor, 'data_preprocessor')
    except ValueError as error:
        raise ValueError(
            f'{name} lacks a description of its detector ({error}): name its config by --source-config'
        ) from None
    return detector, data_preprocessor


def _class_names(meta: dict) -> tuple[str, ...] | None:
    """Return the class names that mmdet 2 or 3 wrote, None if there are none."""
    data = meta.get('dataset_meta')
    data = data if isinstance(data, dict) else meta
    names = data.get('classes', data.get('CLASSES'))
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else None
