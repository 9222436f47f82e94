# Copyright (c) mmrdn contributors. All rights reserved.
"""mmdet's Swin Transformer on layers that can be exported."""

import copy
import math
from collections.abc import Iterator

import torch.nn as nn
from mmdet.models import SwinTransformer
from mmdet.models.backbones.swin import SwinBlock
from mmdet.models.layers import PatchEmbed, PatchMerging

from mmrdn.export.exportable_window_attention import ExportableWindowAttention


def exportable_swin(model: nn.Module) -> nn.Module:
    """Return a model whose Swin Transformer, if it has one, can be exported.

    Args:
        model (nn.Module): The model, which stays as it is.

    Returns:
        nn.Module: A copy on the same weights, for images whose sides are multiples of the stride of the backbone.
        Without Swin, the model itself.
    """
    if not any(isinstance(module, SwinTransformer) for module in model.modules()):
        return model
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    model = copy.deepcopy(model, shared)
    for module in model.modules():
        if isinstance(module, SwinBlock):
            module.attn = ExportableWindowAttention(module.attn)
        elif isinstance(module, (PatchEmbed, PatchMerging)):
            module.adap_padding = None  # sides are multiples
    return model


def swin_sides(backbone: nn.Module) -> tuple[int, int]:
    """Return the stride of a Swin Transformer and the least side of an example image, both in pixels.

    The last map of the example must have several windows: ``torch.export`` takes a length of 1 for a constant.
    Without Swin, 1 and 1.
    """
    if not isinstance(backbone, SwinTransformer):
        return 1, 1
    stride = backbone.patch_embed.projection.stride[0] * math.prod(strides_after_first(backbone))
    return stride, stride * (backbone.stages[-1].blocks[0].attn.window_size + 1)


def strides_after_first(backbone: SwinTransformer) -> list[int]:
    """Return the strides of all stages but the first."""
    return [stage.downsample.sampler.stride[0] for stage in backbone.stages if stage.downsample]


def swin_refusals(backbone: nn.Module, divisor: int) -> Iterator[str]:
    """Yield why a Swin Transformer cannot be exported; nothing for other backbones.

    Args:
        backbone (nn.Module): Any backbone.
        divisor (int): Sides of padded images are multiples of it.
    """
    if not isinstance(backbone, SwinTransformer):
        return
    if backbone.use_abs_pos_embed:
        yield 'backbone SwinTransformer with use_abs_pos_embed, which needs images of one size'
    if set(strides := strides_after_first(backbone)) - {2}:  # patches of 2 x 2 positions are merged
        yield f'backbone SwinTransformer with strides {strides} after the first, expected 2'
        return
    stride, _ = swin_sides(backbone)
    if divisor % stride:
        yield f'model.data_preprocessor.pad_size_divisor {divisor}, expected a multiple of the stride {stride} of Swin'
