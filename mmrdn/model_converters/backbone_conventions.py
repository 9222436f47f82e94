# Copyright (c) mmrdn contributors. All rights reserved.
"""Conventions of a backbone that shapes of its entries do not show."""

import warnings

import torch.nn as nn

from mmrdn.model_converters.input_pixels import InputPixels, convert_stem
from mmrdn.model_converters.layer_carrier import LayerCarrier
from mmrdn.model_converters.norm_epsilon import rescale_norm
from mmrdn.model_converters.source_detector import SourceDetector

_STEM = 'backbone.conv1.weight'
_EPS = 1e-5  # that batch norms add to the variance if nothing is said


def adapt_backbone(carrier: LayerCarrier, detector: nn.Module, settings: dict, data_preprocessor: dict) -> None:
    """Make the source's backbone compute the same under our conventions.

    Args:
        carrier (LayerCarrier): Its ``state`` is changed.
        detector (nn.Module): Of the model.
        settings (dict): Config of its backbone.
        data_preprocessor (dict): Config of what it sees.

    Raises:
        ValueError: Weights cannot make up for the difference.
    """
    _check_style(carrier.source, settings)
    _adapt_stem(carrier, InputPixels.of_config(data_preprocessor))
    _adapt_norms(carrier, detector)


def _check_style(source: SourceDetector, backbone: dict) -> None:
    """Refuse a ResNet whose strides are in other convolutions.

    Raises:
        ValueError: The source has them in the 1x1 convolutions of its bottlenecks ("caffe") and the
            model in the 3x3 ("pytorch"), or the other way round.
    """
    styles = [settings.get('style', 'pytorch') for settings in (source.detector['backbone'], backbone)]
    bottleneck = any('.conv3.' in key for key in source.state if key.startswith('backbone.'))
    if bottleneck and styles[0] != styles[1]:
        raise ValueError(
            f'{source.name} has a ResNet of style "{styles[0]}", the config '
            f'one of style "{styles[1]}": say --cfg-options '
            f'model.detector.backbone.style={styles[0]} here and in training'
        )


def _adapt_stem(carrier: LayerCarrier, target: InputPixels) -> None:
    """Change the first convolution if the model sees other pixels.

    Raises:
        ValueError: It cannot make up for the difference.
    """
    source = carrier.source
    given = InputPixels.of_config(source.data_preprocessor)
    if given == target:
        return
    if _STEM not in source.state or not given.is_near(target):
        raise ValueError(
            f'{source.name} was trained on pixels in {given}, '
            f'the config makes them {target}: set mean, std and '
            'bgr_to_rgb in its data_preprocessor'
        )
    if given.mean_distance(target):
        warnings.warn(f'means of the pixels differ by up to {given.mean_distance(target):.2f} grey levels')
    carrier.state[_STEM] = convert_stem(source.state[_STEM], given, target)


def _adapt_norms(carrier: LayerCarrier, detector: nn.Module) -> None:
    """Scale batch norms if the model adds another epsilon to the variance.

    Raises:
        ValueError: The source holds no variance; names the entry.
    """
    source = carrier.source.detector
    parts = [('backbone', detector.backbone, source['backbone'])]
    if detector.roi_head.with_shared_head:
        parts.append(
            ('roi_head.shared_head', detector.roi_head.shared_head, source['roi_head'].get('shared_head') or {})
        )
    for prefix, part, settings in parts:
        theirs = (settings.get('norm_cfg') or {}).get('eps', _EPS)
        for name, module in part.named_modules(prefix=prefix):
            ours = getattr(module, 'eps', theirs)
            variance = carrier.state.get(f'{name}.running_var')
            if ours == theirs or variance is None:
                continue
            weight = carrier.state[f'{name}.weight']
            try:
                scaled = rescale_norm(weight, variance, theirs, ours)
            except ValueError as error:
                raise ValueError(f'{name}.running_var of {carrier.source.name} {error}') from None
            carrier.state[f'{name}.weight'] = scaled.to(weight.dtype)
