# Copyright (c) mmrdn contributors. All rights reserved.
from typing import NamedTuple

import torch
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from torch import Tensor


class DeltaCoding(NamedTuple):
    """How a box head's outputs become (dx, dy, dw, dh): out * std + mean."""

    means: tuple[float, ...]
    stds: tuple[float, ...]

    @classmethod
    def of_coder(cls, coder: DeltaXYWHBBoxCoder) -> 'DeltaCoding':
        """That of a coder.

        Raises:
            ValueError: It codes boxes in another way.
        """
        if not isinstance(coder, DeltaXYWHBBoxCoder):
            raise ValueError(f'the model codes boxes by a {type(coder).__name__}')
        return cls(tuple(coder.means), tuple(coder.stds))

    @classmethod
    def of_config(cls, coder: dict) -> 'DeltaCoding':
        """That of a ``bbox_coder`` of mmdet.

        Raises:
            ValueError: It codes boxes in another way.
        """
        kind = str(coder.get('type', 'DeltaXYWHBBoxCoder')).split('.')[-1]
        if kind != 'DeltaXYWHBBoxCoder':
            raise ValueError(f'its boxes are coded by a {kind}')
        return cls(
            tuple(coder.get('target_means', (0.0, 0.0, 0.0, 0.0))),
            tuple(coder.get('target_stds', (1.0, 1.0, 1.0, 1.0))),
        )


def recode_deltas(
    weight: Tensor, bias: Tensor, source: DeltaCoding, target: DeltaCoding, scale: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor]:
    """Change a layer so that it tells the same boxes in another coding.

    Args:
        weight (Tensor): (4 n, ...) of the layer.
        bias (Tensor): (4 n,).
        source (DeltaCoding): Its coding.
        target (DeltaCoding): The other one.
        scale (Tensor): (n, 4) or (4,), ``deltas * scale + shift`` are wanted.
        shift (Tensor): Likewise.

    Returns:
        tuple[Tensor, Tensor]: New weight and bias.
    """
    old_means, old_stds = map(torch.tensor, source)
    new_means, new_stds = map(torch.tensor, target)
    factor = scale * old_stds / new_stds
    summand = (scale * old_means + shift - new_means) / new_stds
    n = len(bias) // 4
    factor, summand = (x.expand(n, 4).reshape(-1) for x in (factor, summand))  # (4 n,)
    weight = weight * factor.view(-1, *[1] * (weight.ndim - 1))
    return weight, bias * factor + summand
