# Copyright (c) mmrdn contributors. All rights reserved.
"""Conventions of a backbone that the shapes of its entries do not show.

Pixels, the epsilon of batch norms and the location of stage 4 are converted; a stride in another
convolution cannot be.
"""

import warnings
from typing import NamedTuple

import torch
import torch.nn as nn
from torch import Tensor

from mmrdn.model_converters.source_detector import SourceDetector

_STEM = 'backbone.conv1.weight'
_STAGE4 = ('roi_head.shared_head.layer4.', 'backbone.layer4.')
_EPS = 1e-5  # epsilon of batch norms whose config names none
_MAX_MEAN_DISTANCE = 1.0  # gray levels


class InputPixels(NamedTuple):
    """Pixels as a network sees them: (gray levels - mean) / std, in RGB or BGR."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    rgb: bool

    @classmethod
    def of_config(cls, settings: dict) -> 'InputPixels':
        """Return the pixels of a ``data_preprocessor``; images are read as BGR."""
        return cls(
            tuple(map(float, settings.get('mean') or (0.0, 0.0, 0.0))),
            tuple(map(float, settings.get('std') or (1.0, 1.0, 1.0))),
            bool(settings.get('bgr_to_rgb') or settings.get('rgb_to_bgr')),
        )

    def __str__(self) -> str:
        return f'{"RGB" if self.rgb else "BGR"}, mean {list(self.mean)}, std {list(self.std)}'

    def mean_distance(self, other: 'InputPixels') -> float:
        """Return the largest difference of the means, in gray levels."""
        theirs = other.mean if self.rgb == other.rgb else other.mean[::-1]
        return max(abs(a - b) for a, b in zip(self.mean, theirs))


def adapt_backbone(
    source: SourceDetector, detector: nn.Module, settings: dict, data_preprocessor: dict
) -> SourceDetector:
    """Make the source's backbone compute the same under the model's conventions.

    Args:
        source (SourceDetector): Detector to take the backbone from.
        detector (nn.Module): Detector of the model.
        settings (dict): Config of the model's backbone.
        data_preprocessor (dict): Config of the model's input.

    Returns:
        SourceDetector: The source with other weights, its stage 4 where the model has it.

    Raises:
        ValueError: Weights cannot make up for the difference.
    """
    source = _move_stage4(source, detector.state_dict())
    _check_style(source, settings)
    state = {**source.state, **_adapted_stem(source, InputPixels.of_config(data_preprocessor))}
    source = source._replace(state=state)
    return source._replace(state={**state, **_adapted_norms(source, detector)})


def _move_stage4(source: SourceDetector, wanted: dict[str, Tensor]) -> SourceDetector:
    """Rename stage 4, a part of the backbone or, in a "C4" detector, of the RoI head."""

    def has(prefix, entries):
        return any(key.startswith(prefix) for key in entries)

    for here, there in (_STAGE4, _STAGE4[::-1]):
        if has(here, source.state) and has(there, wanted) and not has(here, wanted) and not has(there, source.state):
            names = {key: there + key.removeprefix(here) if key.startswith(here) else key for key in source.state}
            return source._replace(
                state={names[key]: value for key, value in source.state.items()},
                keys={names[key]: key_in_file for key, key_in_file in source.keys.items()},
            )
    return source


def _check_style(source: SourceDetector, backbone: dict) -> None:
    """Refuse bottlenecks that have their stride elsewhere.

    It is in the 1x1 convolution ("caffe") or in the 3x3 ("pytorch").
    """
    theirs, ours = (settings.get('style', 'pytorch') for settings in (source.detector['backbone'], backbone))
    bottleneck = any('.conv3.' in key for key in source.state if key.startswith('backbone.'))
    if bottleneck and theirs != ours:
        raise ValueError(
            f'{source.name} has a ResNet of style "{theirs}", the config one of style "{ours}": say '
            f'--cfg-options model.detector.backbone.style={theirs} here and in training'
        )


def _adapted_stem(source: SourceDetector, target: InputPixels) -> dict[str, Tensor]:
    """Return the first convolution, changed if the model sees other pixels."""
    given = InputPixels.of_config(source.data_preprocessor)
    if given == target:
        return {}
    distance = given.mean_distance(target)
    if _STEM not in source.state or distance > _MAX_MEAN_DISTANCE:
        raise ValueError(
            f'{source.name} was trained on pixels in {given}, the config makes them {target}: set '
            'mean, std and bgr_to_rgb in its data_preprocessor'
        )
    if distance:
        warnings.warn(f'means of the pixels differ by up to {distance:.2f} gray levels')
    return {_STEM: convert_stem(source.state[_STEM], given, target)}


def convert_stem(weight: Tensor, source: InputPixels, target: InputPixels) -> Tensor:
    """Change the first convolution so that it reads other pixels.

    Exact, also at the padding, if both means are the same color: zero is the mean in both.

    Args:
        weight (Tensor): (c, 3, h, w) weight of the convolution.
        source (InputPixels): Pixels it was trained on.
        target (InputPixels): Pixels of the model.

    Returns:
        Tensor: (c, 3, h, w) new weight.
    """
    theirs = source.std
    if source.rgb != target.rgb:
        weight, theirs = weight.flip(1), theirs[::-1]
    return weight * (torch.tensor(target.std) / torch.tensor(theirs)).view(1, 3, 1, 1)


def _adapted_norms(source: SourceDetector, detector: nn.Module) -> dict[str, Tensor]:
    """Return the batch norms' weights, changed if the model adds another epsilon to the variance."""
    parts = [('backbone', detector.backbone, source.detector['backbone'])]
    if detector.roi_head.with_shared_head:
        settings = source.detector['roi_head'].get('shared_head') or {}
        parts.append(('roi_head.shared_head', detector.roi_head.shared_head, settings))
    changed = {}
    for prefix, part, settings in parts:
        theirs = (settings.get('norm_cfg') or {}).get('eps', _EPS)
        for name, module in part.named_modules(prefix=prefix):
            ours = getattr(module, 'eps', theirs)
            variance = source.state.get(f'{name}.running_var')
            if ours == theirs or variance is None:
                continue
            weight = source.state[f'{name}.weight']
            try:
                scaled = rescale_norm(weight, variance, theirs, ours)
            except ValueError as error:
                raise ValueError(f'{name}.running_var of {source.name} {error}') from None
            changed[f'{name}.weight'] = scaled.to(weight.dtype)
    return changed


def rescale_norm(weight: Tensor, variance: Tensor, theirs: float, ours: float) -> Tensor:
    """Return the weight of a frozen batch norm for another epsilon.

    Args:
        weight (Tensor): (c,) weight.
        variance (Tensor): (c,) running variance.
        theirs (float): Epsilon that the source adds to the variance.
        ours (float): Epsilon that the model adds.

    Returns:
        Tensor: (c,) weight that gives the same scale, in float64.

    Raises:
        ValueError: A variance is not positive, and the source adds nothing.
    """
    variance = variance.double()
    if not variance.is_meta and not (variance + theirs > 0).all():
        lowest = (variance + theirs).min().item()
        raise ValueError(f'holds a variance of {lowest:g}, expected more than 0')
    return weight.double() * ((variance + ours) / (variance + theirs)).sqrt()
