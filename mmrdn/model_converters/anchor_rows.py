# Copyright (c) mmrdn contributors. All rights reserved.
"""Rows of an RPN's predictors go from anchor to anchor.

Shape letters: A anchors at a place of the source's RPN, B at one of ours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder
from torch import Tensor

# Of the logarithms of width and height: some generators round. Neighbours among anchors differ by
# log(sqrt(2)) = 0.35 or more.
_TOLERANCE = 0.1


class AnchorGrid(NamedTuple):
    """Anchors of an RPN as its box coder sees them, the same at any place."""

    strides: list[int]  # of the levels
    centers: list[Tensor]  # of each level, (n, 2) pixels
    sizes: list[Tensor]  # of each level, (n, 2) pixels

    @classmethod
    def of_parts(cls, generator: AnchorGenerator, coder: DeltaXYWHBBoxCoder) -> 'AnchorGrid':
        """Measure them: a coder may count the last pixel."""
        centers, sizes = [], []
        for boxes in generator.base_anchors:
            step = boxes.new_tensor([[1.0, 1.0, 0.0, 0.0]]).expand(len(boxes), 4)
            moved = coder.decode(boxes, step) - coder.decode(boxes, 0 * step)
            sizes.append(moved[:, :2] / boxes.new_tensor(coder.stds[:2]))
            centers.append(boxes[:, :2] + sizes[-1] / 2)
        return cls([w for w, _ in generator.strides], centers, sizes)

    @classmethod
    def of_config(cls, rpn_head: dict) -> 'AnchorGrid':
        """Those that the config of an mmdet RPN describes.

        Raises:
            ValueError: They are none of mmdet's ``AnchorGenerator``.
        """
        settings = dict(rpn_head.get('anchor_generator') or {})
        kind = str(settings.pop('type', None)).split('.')[-1]
        if kind != 'AnchorGenerator':
            raise ValueError(f'its anchors are not those of an AnchorGenerator, but of {kind}')
        try:
            generator = AnchorGenerator(**settings)
        except (TypeError, AssertionError, ValueError) as error:
            raise ValueError(f'its anchors cannot be built: {error}') from None
        return cls.of_parts(generator, DeltaXYWHBBoxCoder())


def match_anchors(target: AnchorGrid, source: AnchorGrid) -> list[int | None]:
    """For each anchor, the one of the same size among others.

    Returns:
        list[int | None]: B places among the A; None without counterpart.

    Raises:
        ValueError: Strides or all sizes differ, or it is not the same on each level.
    """
    if target.strides != source.strides:
        raise ValueError(f'its anchors have strides {source.strides}, those of the model {target.strides}')
    levels = list(map(_match_sizes, target.sizes, source.sizes))
    if any(level != levels[0] for level in levels):
        raise ValueError('its anchors match those of the model in another way on each level')
    if not any(place is not None for place in levels[0]):
        raise ValueError('none of its anchors has the size of one of those of the model')
    return levels[0]


def _match_sizes(target: Tensor, source: Tensor) -> list[int | None]:
    off = (source[None] / target[:, None]).log().abs().amax(-1)  # (B, A)
    nearest = off.argmin(-1)
    return [int(place) if off[i, place] < _TOLERANCE else None for i, place in enumerate(nearest)]


def anchor_moves(target: AnchorGrid, source: AnchorGrid, matches: Sequence[int | None]) -> tuple[Tensor, Tensor]:
    """How box deltas change when a box is told from another anchor.

    A box has centre c + w dx and width w exp(dw), from any anchor; so dx' = w / w' dx + (c - c') /
    w' and dw' = dw + log(w / w'). As an RPN's rows serve all levels, those of the first one decide.

    Args:
        target (AnchorGrid): B anchors at a place.
        source (AnchorGrid): A anchors.
        matches (Sequence[int | None]): Of :func:`match_anchors`.

    Returns:
        tuple[Tensor, Tensor]: (B, 4) factors and summands of (dx, dy, dw, dh),
        1 and 0 for anchors without counterpart.
    """
    size, center = target.sizes[0], target.centers[0]
    scale = torch.ones(len(matches), 4)
    shift = torch.zeros(len(matches), 4)
    for i, place in enumerate(matches):
        if place is not None:
            ratio = source.sizes[0][place] / size[i]
            scale[i, :2] = ratio
            shift[i, :2] = (source.centers[0][place] - center[i]) / size[i]
            shift[i, 2:] = ratio.log()
    return scale, shift


def anchor_rows(initial: Tensor, source: Tensor, matches: Sequence[int | None]) -> Tensor:
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
            rows[i * n : i * n + n] = source[place * n : place * n + n]
    return rows
