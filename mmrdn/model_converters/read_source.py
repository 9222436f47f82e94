# Copyright (c) mmrdn contributors. All rights reserved.
import os.path as osp
from collections.abc import Sequence

import torch
from mmengine.config import Config
from torch import Tensor

from mmrdn.fileio.checkpoint import read_checkpoint, state_dict_of
from mmrdn.fileio.download import shown_url
from mmrdn.model_converters.mmdet_source import is_mmdet, mmdet_source
from mmrdn.model_converters.source_detector import SourceDetector
from mmrdn.model_converters.torchvision_source import is_torchvision, torchvision_source


def read_source(
    checkpoint: str, config: Config | None = None, classes: Sequence[str] | None = None, trust_checkpoint: bool = False
) -> SourceDetector:
    """Read the checkpoint of a Faster R-CNN of mmdet, mmtrack or torchvision.

    Args:
        checkpoint (str): File or address.
        config (Config, optional): mmdet's config of that detector. If not given, it is what the
            checkpoint says of itself, or torchvision's default.
        classes (Sequence[str], optional): Names in the order of the labels, background not among
            them. If not given: those that the checkpoint names, or COCO's where their number is
            torchvision's default.
        trust_checkpoint (bool): Unpickle whatever the file holds.

    Returns:
        SourceDetector: The detector.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, holds no Faster R-CNN of these, or does not say what must be
            known about it.
    """
    loaded = read_checkpoint(checkpoint, 'cpu', trust_checkpoint)
    name = osp.basename(shown_url(checkpoint))
    state = _entries(name, loaded)
    if is_torchvision(state):
        source = torchvision_source(name, state, config)
    elif is_mmdet(state):
        meta = loaded.get('meta')
        source = mmdet_source(name, state, meta if isinstance(meta, dict) else {}, config)
    else:
        first = next(iter(state), 'missing')
        raise ValueError(
            f'{name} is no Faster R-CNN: expected the entries of mmdet >= 2.0 '
            '(backbone.*, rpn_head.*, roi_head.bbox_head.*) or torchvision '
            '(backbone.body.*, rpn.head.*, roi_heads.box_predictor.*), the '
            f'first one is {first}'
        )
    return source if classes is None else source._replace(classes=tuple(classes))


def _entries(name: str, loaded: dict) -> dict[str, Tensor]:
    """The parameters, also of a file of torchvision's training script.

    Raises:
        ValueError: One is no tensor, or not finite.
    """
    if 'state_dict' not in loaded and isinstance(loaded.get('model'), dict):
        loaded = dict(state_dict=loaded['model'])
    state = state_dict_of(loaded)
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'{key} of {name} is a {type(value).__name__}, expected a tensor')
        if not torch.isfinite(value).all():
            raise ValueError(f'{key} of {name} holds NaN or infinite numbers')
    return state
