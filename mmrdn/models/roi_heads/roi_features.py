# Copyright (c) mmrdn contributors. All rights reserved.

import torch
import torch.nn as nn
from torch import Tensor


def roi_features(extractor: nn.Module, x: tuple[Tensor], rois: Tensor, **kwargs) -> Tensor:
    """Let a RoI extractor work on what it can read.

    The RoI layer runs in fp32 under autocast too: boxes would lose half a pixel in fp16, and mmcv's
    layer knows no bf16. Nor does it look at strides: maps that are channels last would be read as
    nonsense. And boxes that are not numbers would make it read outside of the maps.

    Args:
        extractor (nn.Module): A RoI extractor of mmdet or mmtrack.
        x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
        rois (Tensor): (n, 5), place of the frame and box.
        **kwargs: Passed on to the extractor.

    Returns:
        Tensor: (n, c, h', w').

    Raises:
        ValueError: A box is NaN or infinite, as those of a training that diverges are.
    """
    if not torch.isfinite(rois).all():
        raise ValueError('the boxes of proposals became NaN or infinite: the weights are, or the training diverged')
    x = [level.float().contiguous() for level in x[: extractor.num_inputs]]
    with torch.autocast(rois.device.type, enabled=False):
        return extractor(x, rois, **kwargs)
