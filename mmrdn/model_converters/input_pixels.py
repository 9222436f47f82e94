# Copyright (c) mmrdn contributors. All rights reserved.
from typing import NamedTuple

import torch
from torch import Tensor

_NEAR = 1.0  # grey levels that two means may differ by


class InputPixels(NamedTuple):
    """What a network sees: (grey levels - mean) / std, in RGB or BGR."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    rgb: bool

    @classmethod
    def of_config(cls, settings: dict) -> 'InputPixels':
        """That of a ``data_preprocessor``; images are read as BGR."""
        return cls(
            tuple(map(float, settings.get('mean') or (0.0, 0.0, 0.0))),
            tuple(map(float, settings.get('std') or (1.0, 1.0, 1.0))),
            bool(settings.get('bgr_to_rgb') or settings.get('rgb_to_bgr')),
        )

    def __str__(self) -> str:
        return f'{"RGB" if self.rgb else "BGR"}, mean {list(self.mean)}, std {list(self.std)}'

    def mean_distance(self, other: 'InputPixels') -> float:
        """The largest difference of the means, in grey levels."""
        theirs = other.mean if self.rgb == other.rgb else other.mean[::-1]
        return max(abs(a - b) for a, b in zip(self.mean, theirs))

    def is_near(self, other: 'InputPixels') -> bool:
        """Whether the means of both are nearly the same."""
        return self.mean_distance(other) <= _NEAR


def convert_stem(weight: Tensor, source: InputPixels, target: InputPixels) -> Tensor:
    """Change the first convolution so that it sees other pixels.

    Exact, also where it sees padding, if the means are the same colour: zero is the mean in both.

    Args:
        weight (Tensor): (c, 3, h, w).
        source (InputPixels): What it was trained on.
        target (InputPixels): What it will see.

    Returns:
        Tensor: (c, 3, h, w).
    """
    factor = torch.tensor(target.std)  # grey levels in a unit of the target
    if source.rgb != target.rgb:
        weight = weight.flip(1)
    theirs = source.std if source.rgb == target.rgb else source.std[::-1]
    return weight * (factor / torch.tensor(theirs)).view(1, 3, 1, 1)
