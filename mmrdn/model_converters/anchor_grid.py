# Copyright (c) mmrdn contributors. All rights reserved.
"""Anchors of two RPNs: which ones are the same, and how deltas change between them.

Shape letters: A anchors at a location of the source's RPN, B at one of ours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder
from torch import Tensor

from mmrdn.utils.text import shown

# Largest difference of log(width) or log(height): some generators round. Neighbors among anchors
# differ by log(sqrt(2)) = 0.35 or more.
_TOLERANCE = 0.1
_MAX_ANCHORS = 10_000  # of all levels together


class AnchorGrid(NamedTuple):
    """Anchors of an RPN as its box coder sees them, the same at every location."""

    strides: list[int]  # pixels, one for each level
    centers: list[Tensor]  # (n, 2) pixels, one for each level
    sizes: list[Tensor]  # (n, 2) pixels, one for each level

    @classmethod
    def measure(cls, generator: AnchorGenerator, coder: DeltaXYWHBBoxCoder) -> 'AnchorGrid':
        """Measure anchors through their coder, which may count the last pixel."""
        centers, sizes = [], []
        for boxes in generator.base_anchors:
            step = boxes.new_tensor([[1.0, 1.0, 0.0, 0.0]]).expand(len(boxes), 4)
            moved = coder.decode(boxes, step) - coder.decode(boxes, 0 * step)
            sizes.append(moved[:, :2] / boxes.new_tensor(coder.stds[:2]))
            centers.append(boxes[:, :2] + sizes[-1] / 2)
        return cls([w for w, _ in generator.strides], centers, sizes)

    @classmethod
    def of_config(cls, rpn_head: dict) -> 'AnchorGrid':
        """Measure the anchors that the config of an mmdet RPN describes.

        Raises:
            ValueError: They are not those of mmdet's ``AnchorGenerator``.
        """
        settings = dict(rpn_head.get('anchor_generator') or {})
        kind = str(settings.pop('type', None)).split('.')[-1]
        if kind != 'AnchorGenerator':
            raise ValueError(f'its anchors are not those of an AnchorGenerator, but of {kind}')
        _check_number_of_anchors(settings)
        try:
            generator = AnchorGenerator(**settings)
            return cls.measure(generator, DeltaXYWHBBoxCoder())
        except (TypeError, AssertionError, ValueError, ArithmeticError, RuntimeError, AttributeError) as error:
            raise ValueError(f'its anchors cannot be built: {shown(str(error))}') from None


def _check_number_of_anchors(settings: dict) -> None:
    """Refuse impossible numbers of anchors: a short config could ask for billions."""
    num = 1
    for name in ('strides', 'ratios', 'scales', 'base_sizes', 'centers'):
        value = settings.get(name)
        num *= max(len(value), 1) if isinstance(value, (list, tuple)) else 1
    for name in ('scales_per_octave', 'octave_base_scale'):
        value = settings.get(name) or 1
        if not isinstance(value, (int, float)) or not 0 < value <= _MAX_ANCHORS:
            raise ValueError(f'its anchors cannot be built: {name} is {shown(value)}')
        num *= value if name == 'scales_per_octave' else 1
    if num > _MAX_ANCHORS:
        raise ValueError(f'its anchors cannot be built: there are more than {_MAX_ANCHORS} of them')


def match_anchors(target: AnchorGrid, source: AnchorGrid) -> list[int | None]:
    """Find for each anchor of ours the one of the same size in the source.

    Returns:
        list[int | None]: B indices into the A anchors; None if there is no such anchor.

    Raises:
        ValueError: Strides or all sizes differ, or levels match in different ways.
    """
    if target.strides != source.strides:
        raise ValueError(f'its anchors have strides {source.strides}, those of the model {target.strides}')
    first, *others = map(_match_sizes, target.sizes, source.sizes)
    if any(level != first for level in others):
        raise ValueError('its anchors match those of the model in another way on each level')
    if all(index is None for index in first):
        raise ValueError('none of its anchors has the size of one of those of the model')
    return first


def _match_sizes(target: Tensor, source: Tensor) -> list[int | None]:
    difference = (source[None] / target[:, None]).log().abs().amax(-1)  # (B, A)
    smallest, nearest = difference.min(-1)
    return [int(index) if value < _TOLERANCE else None for value, index in zip(smallest, nearest)]


def anchor_moves(target: AnchorGrid, source: AnchorGrid, matches: Sequence[int | None]) -> tuple[Tensor, Tensor]:
    """Return how box deltas change when the same box is coded from another anchor.

    A box has center c + w dx and width w exp(dw), whichever the anchor; so dx' = w / w' dx +
    (c - c') / w' and dw' = dw + log(w / w'). An RPN's rows serve all levels: the first one decides.

    Args:
        target (AnchorGrid): B anchors at a location.
        source (AnchorGrid): A anchors at a location.
        matches (Sequence[int | None]): Result of :func:`match_anchors`.

    Returns:
        tuple[Tensor, Tensor]: (B, 4) factors and summands of (dx, dy, dw, dh); 1 and 0 for anchors
        without a match.
    """
    size, center = target.sizes[0], target.centers[0]
    scale = torch.ones(len(matches), 4)
    shift = torch.zeros(len(matches), 4)
    for i, match in enumerate(matches):
        if match is not None:
            ratio = source.sizes[0][match] / size[i]
            scale[i, :2] = ratio
            shift[i, :2] = (source.centers[0][match] - center[i]) / size[i]
            shift[i, 2:] = ratio.log()
    return scale, shift
