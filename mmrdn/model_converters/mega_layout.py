# Copyright (c) mmrdn contributors. All rights reserved.
"""What the checkpoints of the public MEGA repository call our parameters.

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
_BLOCKS = {6: 50, 23: 101}  # of stage 3: depth of the ResNet


class MegaModel(NamedTuple):
    """Which of its models a checkpoint is of."""

    kind: str  # 'single-frame', 'rdn-basic' or 'rdn'
    depth: int  # of the ResNet
    reduced: bool  # conv5 is reduced to fewer channels

    @property
    def config(self) -> str:
        """str: The config of the package that is this model.

        Raises:
            ValueError: There is none.
        """
        if self.reduced != (self.depth == 50):
            raise ValueError(
                f'it is an R-{self.depth} {self.kind} model '
                f'{"with" if self.reduced else "without"} reduced channels, '
                'of which the package has no config: say --config'
            )
        length = '60k' if self.kind == 'rdn' else '120k'
        return f'rdn_mega/{self.kind}_faster-rcnn_r{self.depth}-caffe-c4_4xb1-{length}_imagenetvid'


def detect_model(keys: Iterable[str]) -> MegaModel:
    """Tell a model by the names of its parameters.

    Raises:
        ValueError: They are of no such model.
    """
    keys = set(keys)
    if f'{_EXTRACTOR}fc6.weight' in keys:
        kind = 'single-frame'
    elif f'{_EXTRACTOR}fcs.0.weight' in keys:
        advanced = f'{_EXTRACTOR}fcs.2.weight' in keys
        kind = 'rdn' if advanced else 'rdn-basic'
    else:
        raise ValueError(
            "it is none of MEGA's models single frame, RDN-base and RDN: it "
            f'has neither {_EXTRACTOR}fc6.weight nor {_EXTRACTOR}fcs.0.weight'
        )
    pattern = re.escape(_BACKBONE) + r'layer3\.(\d+)\.conv1\.weight'
    blocks = sum(re.fullmatch(pattern, key) is not None for key in keys)
    if blocks not in _BLOCKS:
        raise ValueError(f'{_BACKBONE}layer3 has {blocks} blocks, expected 6 (ResNet-50) or 23 (ResNet-101)')
    return MegaModel(kind, _BLOCKS[blocks], f'{_EXTRACTOR}conv.weight' in keys)


class Change(NamedTuple):
    """How a parameter of theirs becomes one of ours."""

    note: str
    apply: Callable[[Tensor], Tensor]
    given_shape: Callable[[Shape], Shape]  # theirs, from ours


def _same(value):
    return value


_AS_IT_IS = Change('', _same, _same)
_CLASS_ROWS = Change('row 0, the background, goes last', lambda value: value.roll(-1, 0), _same)
_BOX_ROWS = Change(
    'rows 0-3, the box of the background, are dropped',
    lambda value: value[4:],
    lambda shape: (shape[0] + 4, *shape[1:]),
)
# Theirs of the values is a grouped one: its rows of group m see the same features as ours of head
# m.
_FC = Change('1x1 convolution becomes fc', lambda value: value.flatten(1), lambda shape: (*shape, 1, 1))
# Their geometry weight, ReLU(x) + 1e-6, is max(x + 1e-6, 1e-6): ours, max(x,
# 1e-6), of a bias that is larger by 1e-6.
_GEOMETRY_BIAS = Change(
    '1e-6 is added: ReLU(x) + 1e-6 = max(x + 1e-6, 1e-6)', lambda value: value.double() + 1e-6, _same
)


class Slot(NamedTuple):
    """What fills one of our parameters."""

    source: str
    change: Change


def slot_of(key: str, kind: str) -> Slot | None:
    """The parameter of theirs for one of ours.

    Args:
        key (str): Name in the state dict of an ``RDN``.
        kind (str): See :class:`MegaModel`.

    Returns:
        Slot | None: None if they have no such parameter.
    """
    prefix, last = key.rpartition('.')[::2]
    for ours, theirs in _prefixes(kind).items():
        if prefix == ours or prefix.startswith(f'{ours}.'):
            source = f'{theirs}{prefix[len(ours) :]}.{last}'
            return Slot(source, _change_of(source))
    return None


def _prefixes(kind: str) -> dict[str, str]:
    """Ours: theirs; the first one that fits counts."""
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
        fcs = {f'{_BOX_HEAD}shared_fcs.{i}': f'fc{i + 6}' for i in (0, 1)}
    else:
        fcs = {
            f'{_BOX_HEAD}shared_fcs.0': 'fcs.0',
            'neck.basic_transforms.0': 'fcs.1',
            'neck.support_transform': 'fcs.2',
        }
        modules = ('basic.0', 'basic.1', 'support_relation', 'reference_relation')
        for i, module in enumerate(modules):
            for name in ('geometry', 'query', 'key', 'value'):
                fcs[f'neck.{module}.{name}_proj'] = f'W{name[0]}s.{i}'
    names.update((ours, _EXTRACTOR + theirs) for ours, theirs in fcs.items())
    return names


def _change_of(source: str) -> Change:
    """What has to be done to a parameter of theirs."""
    name = source.removeprefix(_EXTRACTOR)
    if re.fullmatch(r'W[gv]s\.\d\.weight', name):
        return _FC
    if re.fullmatch(r'Wgs\.\d\.bias', name):
        return _GEOMETRY_BIAS
    if source.startswith(f'{_PREDICTOR}cls_score.'):
        return _CLASS_ROWS
    if source.startswith(f'{_PREDICTOR}bbox_pred.'):
        return _BOX_ROWS
    return _AS_IT_IS
