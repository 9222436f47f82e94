# Copyright (c) mmrdn contributors. All rights reserved.
"""Rows of an RPN's predictors go from anchor to anchor.

Shape letters: A anchors at a place of the source's RPN, B at one of ours.
"""
from typing import List, Optional, Sequence, Tuple

import torch
from mmdet.models.task_modules.prior_generators import (AnchorGenerator,
                                                        LegacyAnchorGenerator)
from torch import Tensor

_KINDS = dict(
    AnchorGenerator=AnchorGenerator,
    LegacyAnchorGenerator=LegacyAnchorGenerator)
_TOLERANCE = 0.05  # of width and height: torchvision rounds them


def build_anchors(settings: Optional[dict]) -> AnchorGenerator:
    """The anchors that a config describes.

    Args:
        settings (dict, optional): ``rpn_head.anchor_generator``.

    Raises:
        ValueError: They are none of mmdet's rectangular grids.
    """
    settings = dict(settings or {})
    kind = str(settings.pop('type', None)).split('.')[-1]
    if kind not in _KINDS:
        raise ValueError(f'its anchors are of a {kind}')
    try:
        return _KINDS[kind](**settings)
    except (TypeError, AssertionError, ValueError) as error:
        raise ValueError(f'its anchors cannot be built: {error}') from None


def match_anchors(target: AnchorGenerator,
                  source: AnchorGenerator) -> List[Optional[int]]:
    """For each anchor, the one of the same size among others.

    Returns:
        list[int | None]: B places among the A; None without counterpart.

    Raises:
        ValueError: The grids differ, or sizes do from level to level.
    """
    ours, theirs = ([w for w, _ in x.strides] for x in (target, source))
    if ours != theirs:
        raise ValueError(f'its anchors have strides {theirs}, those of the '
                         f'model {ours}')
    levels = [
        _match_sizes(_sizes(ours), _sizes(theirs))
        for ours, theirs in zip(target.base_anchors, source.base_anchors)
    ]
    if any(level != levels[0] for level in levels):
        raise ValueError('its anchors match those of the model in another '
                         'way on each level')
    return levels[0]


def _sizes(boxes: Tensor) -> Tensor:
    """(n, 2) widths and heights."""
    return boxes[:, 2:] - boxes[:, :2]


def _match_sizes(target: Tensor, source: Tensor) -> List[Optional[int]]:
    off = (source[None] / target[:, None]).log().abs().amax(-1)  # (B, A)
    nearest = off.argmin(-1)
    return [
        int(place) if off[i, place] < _TOLERANCE else None
        for i, place in enumerate(nearest)
    ]


def anchor_moves(target: Tensor, source: Tensor,
                 matches: Sequence[Optional[int]]) -> Tuple[Tensor, Tensor]:
    """How box deltas change when a box is told from another anchor.

    A box has centre c + w dx and width w exp(dw), from any anchor; so
    dx' = w / w' dx + (c - c') / w' and dw' = dw + log(w / w').

    Args:
        target (Tensor): (B, 4) base anchors, xyxy.
        source (Tensor): (A, 4).
        matches (Sequence[int | None]): Of :func:`match_anchors`.

    Returns:
        tuple[Tensor, Tensor]: (B, 4) factors and summands of (dx, dy, dw, dh),
        1 and 0 for anchors without counterpart.
    """
    scale, shift = torch.ones_like(target), torch.zeros_like(target)
    for i, place in enumerate(matches):
        if place is None:
            continue
        ours, theirs = target[i], source[place]
        size = ours[2:] - ours[:2]
        ratio = (theirs[2:] - theirs[:2]) / size
        scale[i, :2] = ratio
        shift[i, :2] = (theirs.view(2, 2).mean(0) -
                        ours.view(2, 2).mean(0)) / size
        shift[i, 2:] = ratio.log()
    return scale, shift


def anchor_rows(initial: Tensor, source: Tensor,
                matches: Sequence[Optional[int]]) -> Tensor:
    """Rows of a predictor that are grouped by anchor.

    Args:
        initial (Tensor): (B n, ...) values for anchors without counterpart.
        source (Tensor): (A n, ...).
        matches (Sequence[int | None]): Of :func:`match_anchors`.

    Returns:
        Tensor: (B n, ...).
    """
    n = len(initial) // len(matches)
    rows = initial.clone()
    for i, place in enumerate(matches):
        if place is not None:
            rows[i * n:i * n + n] = source[place * n:place * n + n]
    return rows
