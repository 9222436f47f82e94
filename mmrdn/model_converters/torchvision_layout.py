# Copyright (c) mmrdn contributors. All rights reserved.
"""torchvision's Faster R-CNN in the names and the order of mmdet.

Its entries have had two names over time, such as ``backbone.fpn.inner_blocks.0.weight`` and
``...0.0.weight``. Background is its first class and has boxes that nothing reads.
"""

import copy
import re

from mmdet.datasets import CocoDataset
from mmengine.config import Config
from torch import Tensor

# COCO's category ids run to 90; these were never used.
_UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)

# ``fasterrcnn_resnet50_fpn`` and ``_v2`` as a config of mmdet. torchvision rounds the corners of
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

_HEAD = 'roi_head.bbox_head.'
# Beginning of a name: torchvision's pattern, mmdet's replacement. The first match counts. In a
# sequence, part 0 of a block is the convolution and part 1 its norm; linear layers have no parts.
_RENAMES = (
    (r'backbone\.body\.', r'backbone.'),
    (r'backbone\.fpn\.inner_blocks\.(\d+)\.1\.', r'neck.lateral_convs.\1.bn.'),
    (r'backbone\.fpn\.inner_blocks\.(\d+)\.(0\.)?', r'neck.lateral_convs.\1.conv.'),
    (r'backbone\.fpn\.layer_blocks\.(\d+)\.1\.', r'neck.fpn_convs.\1.bn.'),
    (r'backbone\.fpn\.layer_blocks\.(\d+)\.(0\.)?', r'neck.fpn_convs.\1.conv.'),
    (r'rpn\.head\.conv\.(\d+)\.0\.', r'rpn_head.rpn_conv.\1.conv.'),
    (r'rpn\.head\.conv\.', r'rpn_head.rpn_conv.'),
    (r'rpn\.head\.cls_logits\.', r'rpn_head.rpn_cls.'),
    (r'rpn\.head\.bbox_pred\.', r'rpn_head.rpn_reg.'),
    (r'roi_heads\.box_head\.fc6\.', rf'{_HEAD}shared_fcs.0.'),
    (r'roi_heads\.box_head\.fc7\.', rf'{_HEAD}shared_fcs.1.'),
    (r'roi_heads\.box_head\.(\d+)\.0\.', rf'{_HEAD}shared_convs.\1.conv.'),
    (r'roi_heads\.box_head\.(\d+)\.1\.', rf'{_HEAD}shared_convs.\1.bn.'),
    (r'roi_heads\.box_head\.(\d+)\.', rf'{_HEAD}shared_fcs.\1.'),
    (r'roi_heads\.box_predictor\.cls_score\.', rf'{_HEAD}fc_cls.'),
    (r'roi_heads\.box_predictor\.bbox_pred\.', rf'{_HEAD}fc_reg.'),
)


def is_torchvision(state: dict[str, Tensor]) -> bool:
    """Return whether these are the entries of a Faster R-CNN of torchvision."""
    parts = ('backbone.body.', 'rpn.head.', 'roi_heads.box_predictor.')
    return all(any(key.startswith(part) for key in state) for part in parts)


def coco_91_classes() -> tuple[str, ...]:
    """Return COCO's names by category id, from 1; unused ids are ``N/A``."""
    names = iter(CocoDataset.METAINFO['classes'])
    return tuple('N/A' if i in _UNUSED_IDS else next(names) for i in range(1, 91))


def default_config(state: dict[str, Tensor]) -> Config:
    """Return mmdet's config of torchvision's own detector.

    The detectors published under the older names run without epsilon in their frozen batch norms,
    which count no batches.
    """
    config = Config(copy.deepcopy(_CONFIG))
    counts = any(key.endswith('.num_batches_tracked') for key in state)
    if 'rpn.head.conv.weight' in state and not counts:
        config.model.backbone.norm_cfg = dict(type='BN', eps=0.0)
    return config


def to_mmdet_layout(state: dict[str, Tensor]) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Rename entries and reorder the rows of the classes.

    Returns:
        tuple[dict[str, str], dict[str, Tensor]]: Names in torchvision and tensors, both by mmdet's
        name. An entry that mmdet does not have keeps its name.
    """
    keys = {_mmdet_name(key): key for key in state}
    if 'rpn_head.rpn_conv.1.conv.weight' not in keys:  # mmdet does not number a single one
        keys = {key.replace('rpn_conv.0.conv.', 'rpn_conv.'): name for key, name in keys.items()}
    # torchvision numbers linear layers among all layers of the head, mmdet by themselves.
    linear = re.compile(re.escape(f'{_HEAD}shared_fcs.') + r'(\d+)\.')
    numbers = sorted({int(match[1]) for match in map(linear.match, keys) if match})
    keys = {
        linear.sub(lambda match: f'{_HEAD}shared_fcs.{numbers.index(int(match[1]))}.', key): name
        for key, name in keys.items()
    }
    renamed = {key: state[name] for key, name in keys.items()}
    for key, value in renamed.items():
        if key.startswith(f'{_HEAD}fc_cls.'):
            renamed[key] = value.roll(-1, 0)  # background to the end
        elif key.startswith(f'{_HEAD}fc_reg.'):
            renamed[key] = value[4:]  # without the box of background
    return keys, renamed


def _mmdet_name(key: str) -> str:
    for pattern, replacement in _RENAMES:
        if match := re.match(pattern, key):
            return match.expand(replacement) + key[match.end() :]
    return key
