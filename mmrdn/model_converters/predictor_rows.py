# Copyright (c) mmrdn contributors. All rights reserved.
"""Rows for the last layers of RPN and box head, taken from a source by anchor and by class."""

import inspect
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn as nn
from mmdet.models import BBoxHead
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from torch import Tensor

from mmrdn.model_converters.anchor_grid import AnchorGrid, anchor_moves, match_anchors
from mmrdn.model_converters.source_detector import SourceDetector

RPN_CLS, RPN_REG = 'rpn_head.rpn_cls', 'rpn_head.rpn_reg'
FC_CLS, FC_REG = 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'

# Coder of a box head whose config names none.
_BOX_CODER = inspect.signature(BBoxHead).parameters['bbox_coder'].default
# Names that data sets (COCO, Pascal VOC) give to classes of ImageNet VID.
_SYNONYMS = dict(aeroplane='airplane', boat='watercraft', cat='domestic_cat', cow='cattle', motorbike='motorcycle')

Layer = tuple[Tensor, Tensor]  # weight (n, ...) and bias (n,)


class Rows(NamedTuple):
    """New weights and biases of one or more layers."""

    layers: dict[str, Layer]  # by the layer's name
    note: str  # which rows are the source's


class PredictorRows:
    """Rows for the last layers of RPN and box head, taken from a source by anchor and by class.

    Each method raises ValueError with the reason if the source has no rows for the layer.

    Args:
        source (SourceDetector): Detector to take rows from.
        detector (nn.Module): Detector of the model, whose values are the initial ones.
        classes (Sequence[str], optional): Class names of the model, if it has any.
    """

    def __init__(self, source: SourceDetector, detector: nn.Module, classes: Sequence[str] | None) -> None:
        self.source = source
        self.detector = detector
        self.classes = classes
        self._wanted = detector.state_dict()

    def rpn(self) -> Rows:
        """Return the RPN's predictors with the rows of the anchors that both RPNs have."""
        settings, head = self.source.detector['rpn_head'], self.detector.rpn_head
        old, new = source_coder(settings.get('bbox_coder') or {}), check_coder(head.bbox_coder)
        theirs = AnchorGrid.of_config(settings)
        ours = AnchorGrid.measure(head.prior_generator, head.bbox_coder)
        matches = match_anchors(ours, theirs)
        num = len(theirs.sizes[0])
        logits = self._matched(RPN_CLS, self._given(RPN_CLS, num * head.cls_out_channels), matches)
        deltas = self._matched(RPN_REG, self._given(RPN_REG, 4 * num), matches)
        recoded = recode_deltas(*deltas, old, new, *anchor_moves(ours, theirs, matches))
        known = [None if match is None else i for i, match in enumerate(matches)]  # the others stay initial
        recoded = self._matched(RPN_REG, recoded, known)
        num_known = len(matches) - matches.count(None)
        note = f'{num_known} of its {num} anchors, for {num_known} of {len(matches)}'
        return Rows({RPN_CLS: logits, RPN_REG: recoded}, note)

    def fc_cls(self) -> Rows:
        """Return the classifier with the rows of the classes that both know, and of background."""
        matches, note = self._match_classes()
        background = len(self.source.classes)  # the last row of both
        given = self._given(FC_CLS, background + 1)
        return Rows({FC_CLS: self._matched(FC_CLS, given, [*matches, background])}, f'{note} and background')

    def fc_reg(self) -> Rows:
        """Return the box regressor with the rows of the classes that both know."""
        matches, note = self._match_classes()
        settings = self.source.detector['roi_head'].get('bbox_head') or {}
        old = source_coder(settings.get('bbox_coder') or _BOX_CODER)
        new = check_coder(self.detector.roi_head.bbox_head.bbox_coder)
        given = self._given(FC_REG, 4, 4 * len(self.source.classes))
        given = recode_deltas(*given, old, new, torch.ones(4), torch.zeros(4))
        weight, bias = (class_delta_rows(x, y, matches) for x, y in zip(self._initial(FC_REG), given))
        return Rows({FC_REG: (weight, bias)}, note)

    def _match_classes(self) -> tuple[list[int | None], str]:
        """Match the model's classes to the source's, and report how many match."""
        classes, theirs = self.classes, self.source.classes
        if not theirs:
            raise ValueError('the names of its classes are not known, name them by --source-classes')
        if not classes:
            raise ValueError('the classes of the model have no names')
        matches = match_classes(classes, theirs)
        known = len(matches) - matches.count(None)
        if not known:
            raise ValueError(f"none of its {len(theirs)} classes is one of the model's {len(classes)}")
        return matches, f'{known} of its {len(theirs)} classes, for {known} of {len(classes)}'

    def _initial(self, layer: str) -> Layer:
        return self._wanted[f'{layer}.weight'], self._wanted[f'{layer}.bias']

    def _given(self, layer: str, *num_rows: int) -> Layer:
        """Return a layer of the source; raise ValueError if its shape is not one that was expected."""
        weight, bias = (self.source.state.get(f'{layer}.{name}', torch.empty(0)) for name in ('weight', 'bias'))
        if len(bias) not in num_rows or len(weight) != len(bias):
            raise ValueError(f'it has {len(weight)} rows, expected {" or ".join(map(str, num_rows))}')
        ours = self._wanted[f'{layer}.weight'].shape
        if weight.shape[1:] != ours[1:]:
            raise ValueError(f'its shape is {tuple(weight.shape)}, that of the model {tuple(ours)}')
        return weight, bias

    def _matched(self, layer: str, source: Layer, matches: Sequence[int | None]) -> Layer:
        """Return a layer whose rows are the source's where they match."""
        weight, bias = (matched_rows(ours, theirs, matches) for ours, theirs in zip(self._initial(layer), source))
        return weight, bias


def match_classes(target: Sequence[str], source: Sequence[str]) -> list[int | None]:
    """Find for each class the index of the same class among others.

    Args:
        target (Sequence[str]): Class names.
        source (Sequence[str]): Names of the other classes.

    Returns:
        list[int | None]: An index into ``source`` for each of ``target``; None if it is not there.
    """
    indices = {}
    for index, name in enumerate(source):
        indices.setdefault(_canonical(name), index)
    return [indices.get(_canonical(name)) for name in target]


def _canonical(name: str) -> str:
    name = name.lower().replace(' ', '_').replace('-', '_')
    return _SYNONYMS.get(name, name)


def matched_rows(initial: Tensor, source: Tensor, matches: Sequence[int | None]) -> Tensor:
    """Replace groups of rows, one group an anchor or class.

    Args:
        initial (Tensor): (B n, ...) values for groups without a match.
        source (Tensor): (A n, ...) values to take.
        matches (Sequence[int | None]): B indices into the A groups.

    Returns:
        Tensor: (B n, ...) rows.
    """
    n = len(initial) // len(matches)
    rows = initial.clone()
    for i, match in enumerate(matches):
        if match is not None:
            rows[i * n : i * n + n] = source[match * n : match * n + n]
    return rows


def class_delta_rows(initial: Tensor, source: Tensor, matches: Sequence[int | None]) -> Tensor:
    """Replace the rows of a box regressor, 4 a class or 4 that serve any class.

    Args:
        initial (Tensor): (4 C, ...) or (4, ...) values for classes without a match.
        source (Tensor): (4 C', ...) or (4, ...) values to take.
        matches (Sequence[int | None]): C indices into the C' classes.

    Returns:
        Tensor: Rows in the shape of ``initial``.

    Raises:
        ValueError: ``source`` has rows for each class, ``initial`` has not.
    """
    if len(source) == 4:
        return matched_rows(initial, source, [0] * (len(initial) // 4))
    if len(initial) == 4:
        raise ValueError('its boxes depend on the class, those of the model do not')
    return matched_rows(initial, source, matches)


def source_coder(settings: dict) -> DeltaXYWHBBoxCoder:
    """Build the ``bbox_coder`` of an mmdet config; raise ValueError if it is of another kind."""
    kind = str(settings.get('type', 'DeltaXYWHBBoxCoder')).split('.')[-1]
    if kind != 'DeltaXYWHBBoxCoder':
        raise ValueError(f'its boxes are coded by a {kind}')
    units = {key: tuple(settings[key]) for key in ('target_means', 'target_stds') if key in settings}
    return DeltaXYWHBBoxCoder(**units)


def check_coder(coder: object) -> DeltaXYWHBBoxCoder:
    """Return the model's box coder; raise ValueError if it is of another kind."""
    if not isinstance(coder, DeltaXYWHBBoxCoder):
        raise ValueError(f'the model codes boxes by a {type(coder).__name__}')
    return coder


def recode_deltas(
    weight: Tensor, bias: Tensor, source: DeltaXYWHBBoxCoder, target: DeltaXYWHBBoxCoder, scale: Tensor, shift: Tensor
) -> Layer:
    """Change a layer so that it predicts the same boxes for another coder.

    A coder reads outputs as (dx, dy, dw, dh) = output * std + mean.

    Args:
        weight (Tensor): (4 n, ...) weight of the layer.
        bias (Tensor): (4 n,) bias of the layer.
        source (DeltaXYWHBBoxCoder): Coder that the layer was trained with.
        target (DeltaXYWHBBoxCoder): Coder of the model.
        scale (Tensor): (n, 4) or (4,) factors: the model needs ``deltas * scale + shift``.
        shift (Tensor): (n, 4) or (4,) summands.

    Returns:
        tuple[Tensor, Tensor]: New weight and bias.
    """
    old_means, old_stds, new_means, new_stds = (
        torch.tensor(values) for coder in (source, target) for values in (coder.means, coder.stds)
    )
    n = len(bias) // 4
    factor = (scale * old_stds / new_stds).expand(n, 4).reshape(-1)  # (4 n,)
    summand = ((scale * old_means + shift - new_means) / new_stds).expand(n, 4).reshape(-1)  # (4 n,)
    return weight * factor.view(-1, *[1] * (weight.ndim - 1)), bias * factor + summand
