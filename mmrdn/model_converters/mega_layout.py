# Copyright (c) mmrdn contributors. All rights reserved.
"""Names and layouts of our parameters in the checkpoints of the public MEGA repository.

Three of its models are ours: "single frame baseline", "RDN-base" (the basic stage, phase 1) and
"RDN". It is built on maskrcnn-benchmark.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from torch import Tensor

Shape = tuple[int, ...]
ANCHORS = 'rpn.anchor_generator.cell_anchors.0'
_BACKBONE = 'backbone.body.'
_EXTRACTOR = 'roi_heads.box.feature_extractor.'
_PREDICTOR = 'roi_heads.box.predictor.'
_BOX_HEAD = 'detector.roi_head.bbox_head.'
_DEPTHS = {6: 50, 23: 101}  # depth of the ResNet by the number of blocks in stage 3


class MegaModel(NamedTuple):
    """One of MEGA's models."""

    kind: str  # 'single-frame', 'rdn-basic' or 'rdn'
    depth: int  # of the ResNet
    reduced: bool  # conv5 is reduced to fewer channels

    @property
    def config(self) -> str:
        """str: Name of the package's config for this model.

        Raises:
            ValueError: There is none.
        """
        if self.reduced != (self.depth == 50):
            raise ValueError(
                f'it is an R-{self.depth} {self.kind} model '
                f'{"with" if self.reduced else "without"} reduced channels, '
                'of which the package has no config: pass --config'
            )
        length = '60k' if self.kind == 'rdn' else '120k'
        return f'rdn_mega/{self.kind}_faster-rcnn_r{self.depth}-caffe-c4_4xb1-{length}_imagenetvid'


def detect_model(keys: Iterable[str]) -> MegaModel:
    """Recognize a model by the names of its parameters.

    Raises:
        ValueError: They belong to no such model.
    """
    keys = set(keys)
    if f'{_EXTRACTOR}fc6.weight' in keys:
        kind = 'single-frame'
    elif f'{_EXTRACTOR}fcs.0.weight' in keys:
        kind = 'rdn' if f'{_EXTRACTOR}fcs.2.weight' in keys else 'rdn-basic'
    else:
        raise ValueError(
            "it is not one of MEGA's models single frame, RDN-base and RDN: it "
            f'has neither {_EXTRACTOR}fc6.weight nor {_EXTRACTOR}fcs.0.weight'
        )
    pattern = re.escape(_BACKBONE) + r'layer3\.(\d+)\.conv1\.weight'
    blocks = sum(re.fullmatch(pattern, key) is not None for key in keys)
    if blocks not in _DEPTHS:
        raise ValueError(f'{_BACKBONE}layer3 has {blocks} blocks, expected 6 (ResNet-50) or 23 (ResNet-101)')
    return MegaModel(kind, _DEPTHS[blocks], f'{_EXTRACTOR}conv.weight' in keys)


class Change(NamedTuple):
    """Change that makes a parameter of theirs one of ours."""

    note: str = ''
    apply: Callable[[Tensor], Tensor] = lambda value: value
    given_shape: Callable[[Shape], Shape] = lambda shape: shape  # theirs, from ours


# 1x1 convolutions: that of the values is grouped, its rows of group m read the same features as ours
# of head m.
_FC = Change('1x1 convolution becomes fc', lambda value: value.flatten(1), lambda shape: (*shape, 1, 1))
# Beginnings of their names, as patterns. Their geometry weight, ReLU(x) + 1e-6 = max(x + 1e-6, 1e-6),
# is ours, max(x, 1e-6), for a bias that is larger by 1e-6.
_CHANGES = {
    r'.*\.W[gv]s\.\d\.weight': _FC,
    r'.*\.Wgs\.\d\.bias': Change(
        '1e-6 is added: ReLU(x) + 1e-6 = max(x + 1e-6, 1e-6)', lambda value: value.double() + 1e-6
    ),
    rf'{_PREDICTOR}cls_score\.': Change('row 0, the background, goes last', lambda value: value.roll(-1, 0)),
    rf'{_PREDICTOR}bbox_pred\.': Change(
        'rows 0-3, the box of the background, are dropped',
        lambda value: value[4:],
        lambda shape: (shape[0] + 4, *shape[1:]),
    ),
}


def mega_parameter(key: str, kind: str) -> tuple[str, Change] | None:
    """Return MEGA's parameter for one of ours.

    Args:
        key (str): Name in the state dict of an ``RDN``.
        kind (str): Kind of a :class:`MegaModel`.

    Returns:
        tuple[str, Change] or None: Its name and how it becomes ours; None if MEGA has none.
    """
    prefix, _, last = key.rpartition('.')
    for ours, theirs in _prefixes(kind).items():
        if prefix == ours or prefix.startswith(f'{ours}.'):
            name = f'{theirs}{prefix[len(ours) :]}.{last}'
            changes = (change for pattern, change in _CHANGES.items() if re.match(pattern, name))
            return name, next(changes, Change())
    return None


def _prefixes(kind: str) -> dict[str, str]:
    """Map the beginnings of our names to theirs; the first that fits counts."""
    backbone = 'detector.backbone.'
    names = {
        f'{backbone}conv1': f'{_BACKBONE}stem.conv1',
        f'{backbone}bn1': f'{_BACKBONE}stem.bn1',
        **{f'{backbone}layer{i}': f'{_BACKBONE}layer{i}' for i in (1, 2, 3)},
        f'{backbone}layer4': f'{_EXTRACTOR}head.layer4',
        'detector.neck.conv.conv': f'{_EXTRACTOR}conv',
        'detector.rpn_head.rpn_conv': 'rpn.head.conv',
        'detector.rpn_head.rpn_cls': 'rpn.head.cls_logits',
        'detector.rpn_head.rpn_reg': 'rpn.head.bbox_pred',
        f'{_BOX_HEAD}fc_cls': f'{_PREDICTOR}cls_score',
        f'{_BOX_HEAD}fc_reg': f'{_PREDICTOR}bbox_pred',
    }
    if kind == 'single-frame':
        return names | {f'{_BOX_HEAD}shared_fcs.{i}': f'{_EXTRACTOR}fc{i + 6}' for i in (0, 1)}
    fcs = (f'{_BOX_HEAD}shared_fcs.0', 'neck.basic_transforms.0', 'neck.support_transform')
    names |= {ours: f'{_EXTRACTOR}fcs.{i}' for i, ours in enumerate(fcs)}
    for i, module in enumerate(('basic.0', 'basic.1', 'support_relation', 'reference_relation')):
        for name in ('geometry', 'query', 'key', 'value'):
            names[f'neck.{module}.{name}_proj'] = f'{_EXTRACTOR}W{name[0]}s.{i}'
    return names
