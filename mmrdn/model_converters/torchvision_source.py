# Copyright (c) mmrdn contributors. All rights reserved.
"""torchvision's Faster R-CNN in the words of mmdet.

Its entries have had two names over time, such as ``backbone.fpn.inner_blocks.0.weight`` and
``...0.0.weight``. Background is its first class, and has boxes that nobody reads.
"""

import copy
import re

import torch
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from torch import Tensor

from mmrdn.model_converters.mmdet_source import settings_of
from mmrdn.model_converters.source_detector import SourceDetector

# COCO's category ids run to 90, these were never used.
_UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)

# ``fasterrcnn_resnet50_fpn`` and ``_v2`` in mmdet's words. torchvision rounds the corners of
# anchors to pixels: sizes differ by 3 percent at most.
_CONFIG = dict(
    model=dict(
        data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
        backbone=dict(type='ResNet', style='pytorch'),
        rpn_head=dict(
            anchor_generator=dict(
                type='AnchorGenerator', scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]
            )
        ),
        roi_head=dict(bbox_head=dict(bbox_coder=dict(target_stds=[0.1, 0.1, 0.2, 0.2]))),
    )
)

_BLOCKS = dict(inner_blocks='lateral_convs', layer_blocks='fpn_convs')


def is_torchvision(state: dict[str, Tensor]) -> bool:
    """Whether these are entries of a Faster R-CNN of torchvision."""
    parts = ('backbone.body.', 'rpn.head.', 'roi_heads.box_predictor.')
    return all(any(key.startswith(part) for key in state) for part in parts)


def coco_91_classes() -> tuple[str, ...]:
    """COCO's names by category id, from 1; unused ids are ``N/A``."""
    names = iter(CocoDataset.METAINFO['classes'])
    return tuple('N/A' if i in _UNUSED_IDS else next(names) for i in range(1, 91))


def torchvision_source(name: str, state: dict[str, Tensor], config: Config | None = None) -> SourceDetector:
    """Rename and reorder.

    Args:
        name (str): Of the file.
        state (dict[str, Tensor]): Its entries.
        config (Config, optional): mmdet's words for a detector that differs from torchvision's
            default.

    Returns:
        SourceDetector: Classes are COCO's if there are 91 with background.
    """
    keys = {_mmdet_name(key, state): key for key in state}
    renamed = {new: state[old] for new, old in keys.items()}
    for new in renamed:
        if new.startswith('roi_head.bbox_head.fc_cls.'):
            renamed[new] = renamed[new].roll(-1, 0)  # background to the end
        elif new.startswith('roi_head.bbox_head.fc_reg.'):
            renamed[new] = renamed[new][4:]  # without background's
    detector, data_preprocessor = settings_of(config or _default(state))
    classes = coco_91_classes()
    logits = renamed.get('roi_head.bbox_head.fc_cls.bias', torch.empty(0))
    return SourceDetector(name, renamed, keys, detector, data_preprocessor, classes if len(logits) == 91 else None)


def _default(state: dict[str, Tensor]) -> Config:
    """The config of torchvision's own detector.

    Those that it published under the older names are run without epsilon in their frozen batch
    norms, which count no batches.
    """
    config = Config(copy.deepcopy(_CONFIG))
    counts = any(key.endswith('.num_batches_tracked') for key in state)
    if 'rpn.head.conv.weight' in state and not counts:
        config.model.backbone.norm_cfg = dict(type='BN', eps=0.0)
    return config


def _mmdet_name(key: str, state: dict[str, Tensor]) -> str:
    """mmdet's name of an entry; its own if there is none."""
    if match := re.fullmatch(r'backbone\.body\.(.+)', key):
        return f'backbone.{match[1]}'
    if match := re.fullmatch(r'backbone\.fpn\.(\w+_blocks)\.(\d+)(?:\.([01]))?\.(\w+)', key):
        block, level, part, tensor = match.groups()
        part = 'bn' if part == '1' else 'conv'
        return f'neck.{_BLOCKS.get(block, block)}.{level}.{part}.{tensor}'
    if match := re.fullmatch(r'rpn\.head\.conv(?:\.(\d+)\.0)?\.(\w+)', key):
        several = 'rpn.head.conv.1.0.weight' in state
        place = f'{match[1]}.conv.' if several else ''
        return f'rpn_head.rpn_conv.{place}{match[2]}'
    if match := re.fullmatch(r'rpn\.head\.(cls_logits|bbox_pred)\.(\w+)', key):
        branch = 'cls' if match[1] == 'cls_logits' else 'reg'
        return f'rpn_head.rpn_{branch}.{match[2]}'
    if match := re.fullmatch(r'roi_heads\.box_predictor\.(\w+)\.(\w+)', key):
        branch = dict(cls_score='fc_cls', bbox_pred='fc_reg').get(match[1])
        return f'roi_head.bbox_head.{branch}.{match[2]}' if branch else key
    return _box_head_name(key, state)


def _box_head_name(key: str, state: dict[str, Tensor]) -> str:
    """The same for the layers between RoI features and predictor.

    ``fc6`` and ``fc7``, or a sequence: convolutions with their norms as parts 0 and 1, then linear
    layers without parts, places between them empty.
    """
    if match := re.fullmatch(r'roi_heads\.box_head\.fc([67])\.(\w+)', key):
        return f'roi_head.bbox_head.shared_fcs.{int(match[1]) - 6}.{match[2]}'
    if match := re.fullmatch(r'roi_heads\.box_head\.(\d+)\.([01])\.(\w+)', key):
        part = 'bn' if match[2] == '1' else 'conv'
        return f'roi_head.bbox_head.shared_convs.{match[1]}.{part}.{match[3]}'
    linear = r'roi_heads\.box_head\.(\d+)\.(\w+)'
    if match := re.fullmatch(linear, key):
        places = {int(other[1]) for other in map(re.compile(linear).fullmatch, state) if other}
        place = sorted(places).index(int(match[1]))
        return f'roi_head.bbox_head.shared_fcs.{place}.{match[2]}'
    return key
