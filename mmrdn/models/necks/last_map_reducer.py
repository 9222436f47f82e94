# Copyright (c) mmrdn contributors. All rights reserved.
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor

from mmrdn.registry import MODELS


@MODELS.register_module()
class LastMapReducer(BaseModule):
    """A 1x1 convolution and ReLU on the last feature map alone.

    It makes the RoI head's map lighter where RPN looks at another one.

    Args:
        in_channels (int): Channels of the last map.
        out_channels (int): Channels of the map that replaces it.
        init_cfg (dict, optional): Initialization. Kaiming if not given.
    """

    def __init__(self, in_channels: int, out_channels: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.conv = ConvModule(in_channels, out_channels, 1)

    def forward(self, x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Replace the last of the feature maps (B, c, h, w)."""
        return (*x[:-1], self.conv(x[-1]))
