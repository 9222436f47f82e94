# Copyright (c) mmrdn contributors. All rights reserved.
"""The last layers of RPN and box head: their rows belong to anchors and
classes, and so are carried over one by one."""

import inspect
from collections.abc import Sequence

import torch
from mmdet.models import BBoxHead, RPNHead
from torch import Tensor

from mmrdn.model_converters.anchor_rows import AnchorGrid, anchor_moves, anchor_rows, match_anchors
from mmrdn.model_converters.box_deltas import DeltaCoding, recode_deltas
from mmrdn.model_converters.class_rows import class_delta_rows, class_logit_rows, match_classes
from mmrdn.model_converters.layer_carrier import LayerCarrier

RPN_CLS, RPN_REG = 'rpn_head.rpn_cls', 'rpn_head.rpn_reg'
# Of a box head whose config does not say.
_BOX_CODER = inspect.signature(BBoxHead).parameters['bbox_coder'].default
FC_CLS, FC_REG = 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'


def carry_rpn_predictors(carrier: LayerCarrier, head: RPNHead) -> None:
    """Fill the rows of the anchors that both RPNs have, if there are any.

    Args:
        carrier (LayerCarrier): Has filled what lies below.
        head (RPNHead): Of the model, with its initial values.
    """
    settings = carrier.source.detector['rpn_head']
    try:
        old = DeltaCoding.of_config(settings.get('bbox_coder') or {})
        new = DeltaCoding.of_coder(head.bbox_coder)
        theirs = AnchorGrid.of_config(settings)
        ours = AnchorGrid.of_parts(head.prior_generator, head.bbox_coder)
        matches = match_anchors(ours, theirs)
        num = len(theirs.sizes[0])
        logits = _layer(carrier, RPN_CLS, num * head.cls_out_channels)
        deltas = _layer(carrier, RPN_REG, 4 * num)
    except ValueError as error:
        for layer in (RPN_CLS, RPN_REG):
            drop_layer(carrier, layer, str(error))
        return
    known = sum(place is not None for place in matches)
    note = f'{known} of its {num} anchors, for {known} of {len(matches)}'
    _use(
        carrier,
        RPN_CLS,
        [anchor_rows(initial, given, matches) for initial, given in zip(_initial(carrier, RPN_CLS), logits)],
        note,
    )
    # The source's rows in the coding of the anchors that get them.
    initial = _initial(carrier, RPN_REG)
    gathered = [anchor_rows(x, y, matches) for x, y in zip(initial, deltas)]
    moves = anchor_moves(ours, theirs, matches)
    recoded = recode_deltas(*gathered, old, new, *moves)
    own = [i if place is not None else None for i, place in enumerate(matches)]
    _use(carrier, RPN_REG, [anchor_rows(x, y, own) for x, y in zip(initial, recoded)], note)


def carry_class_logits(carrier: LayerCarrier, classes: Sequence[str] | None) -> None:
    """Fill the rows of the classes that both detectors know, and background.

    Args:
        carrier (LayerCarrier): Has filled what lies below.
        classes (Sequence[str], optional): Of the model, if they have names.
    """
    try:
        matches, note = _matches(carrier, classes)
        given = _layer(carrier, FC_CLS, len(carrier.source.classes) + 1)
    except ValueError as error:
        drop_layer(carrier, FC_CLS, str(error))
        return
    _use(
        carrier,
        FC_CLS,
        [class_logit_rows(initial, rows, matches) for initial, rows in zip(_initial(carrier, FC_CLS), given)],
        f'{note} and background',
    )


def carry_class_deltas(carrier: LayerCarrier, head: BBoxHead, classes: Sequence[str] | None) -> None:
    """The same for the boxes of the classes.

    Args:
        carrier (LayerCarrier): Has filled what lies below.
        head (BBoxHead): Of the model.
        classes (Sequence[str], optional): Of the model, if they have names.
    """
    settings = carrier.source.detector['roi_head'].get('bbox_head') or {}
    try:
        matches, note = _matches(carrier, classes)
        old = DeltaCoding.of_config(settings.get('bbox_coder') or _BOX_CODER)
        new = DeltaCoding.of_coder(head.bbox_coder)
        given = _layer(carrier, FC_REG, 4, 4 * len(carrier.source.classes))
        given = recode_deltas(*given, old, new, torch.ones(4), torch.zeros(4))
        rows = [class_delta_rows(initial, x, matches) for initial, x in zip(_initial(carrier, FC_REG), given)]
    except ValueError as error:
        drop_layer(carrier, FC_REG, str(error))
        return
    _use(carrier, FC_REG, rows, note)


def drop_layer(carrier: LayerCarrier, layer: str, reason: str) -> None:
    """Leave a layer of the source behind."""
    for key in carrier.state:
        if key.startswith(f'{layer}.'):
            carrier.drop(key, reason)


def _matches(carrier: LayerCarrier, classes: Sequence[str] | None) -> tuple:
    """Counterparts of the model's classes, and in words how many they are."""
    theirs = carrier.source.classes
    if not theirs:
        raise ValueError('the names of its classes are not known, name them by --source-classes')
    if not classes:
        raise ValueError('the classes of the model have no names')
    matches = match_classes(classes, theirs)
    known = sum(place is not None for place in matches)
    if not known:
        raise ValueError(f"none of its {len(theirs)} classes is one of the model's {len(classes)}")
    return matches, f'{known} of its {len(theirs)} classes, for {known} of {len(classes)}'


def _layer(carrier: LayerCarrier, layer: str, *num_rows: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of the source's layer.

    Raises:
        ValueError: Their shapes are not those that were expected.
    """
    weight, bias = (carrier.state.get(f'{layer}.{name}', torch.empty(0)) for name in ('weight', 'bias'))
    if len(bias) not in num_rows or len(weight) != len(bias):
        wanted = ' or '.join(map(str, num_rows))
        raise ValueError(f'it has {len(weight)} rows, expected {wanted}')
    ours = carrier.wanted[f'{layer}.weight'].shape
    if weight.shape[1:] != ours[1:]:
        raise ValueError(f'its shape is {tuple(weight.shape)}, that of the model {tuple(ours)}')
    return weight, bias


def _initial(carrier: LayerCarrier, layer: str) -> tuple[Tensor, Tensor]:
    return carrier.wanted[f'{layer}.weight'], carrier.wanted[f'{layer}.bias']


def _use(carrier: LayerCarrier, layer: str, rows: Sequence[Tensor], note: str) -> None:
    for name, value in zip(('weight', 'bias'), rows):
        carrier.use(f'{layer}.{name}', value, note)
