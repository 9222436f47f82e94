# Copyright (c) mmrdn contributors. All rights reserved.
"""A FlowNet small enough to train from scratch, for mmtrack's FGFA and DFF.

mmtrack's ``FlowNetSimple`` has 39 million parameters, whatever the detector, and from scratch it
moves features by some 15 pixels at random.
"""

from mmtrack.models import FlowNetSimple
from torch import nn

from mmrdn.registry import MODELS


@MODELS.register_module()
class NarrowFlowNet(FlowNetSimple):
    """mmtrack's ``FlowNetSimple`` with fewer channels; it starts at no motion.

    Args:
        divisor (int): Divisor of the channels of every layer: 1, the full width, or another power
            of 2 up to 32.
        **kwargs: Arguments of ``FlowNetSimple``.

    Raises:
        ValueError: ``divisor`` is not one of these.
    """

    def __init__(self, divisor: int = 4, **kwargs) -> None:
        if divisor not in (1, 2, 4, 8, 16, 32):
            raise ValueError(f'divisor must be 1, 2, 4, 8, 16 or 32, got {divisor}')
        convs, deconvs = (FlowNetSimple.arch_setting[part] for part in ('conv_layers', 'deconv_layers'))
        pair, *widths = convs['inplanes']  # 6 channels of two images
        *joined, last = deconvs['inplanes']  # joined: with a flow's 2 channels
        self.arch_setting = dict(
            conv_layers=dict(convs, inplanes=[pair, *(c // divisor for c in widths)]),
            deconv_layers=dict(inplanes=[(c - 2) // divisor + 2 for c in joined] + [last // divisor]),
        )
        super().__init__(**kwargs)

    def init_weights(self) -> None:
        """Initialize as mmtrack does, except for the last layer: the first flow is 0."""
        super().init_weights()
        if not self.init_cfg:
            nn.init.zeros_(self.predict_flow.conv.weight)
