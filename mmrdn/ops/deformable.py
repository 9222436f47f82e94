# Copyright (c) mmrdn contributors. All rights reserved.
"""Deformable convolution in plain torch (Zhu et al., Deformable ConvNets v2, CVPR 2019).

Legend: B images, C input channels, O output channels, D groups of offsets, K kernel positions,
h x w output pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def deform_conv(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    deform_groups: int,
) -> Tensor:
    """Convolve with sampling positions that are moved by offsets.

    Args:
        input (Tensor): (B, C, H, W).
        weight (Tensor): (O, C / groups, kh, kw).
        offset (Tensor): (B, D * K * 2, h, w), vertical and horizontal, pixels.
        mask (Tensor, optional): (B, D * K, h, w), factors of the samples; 1 if not given.
        stride (tuple[int, int]): Rows and columns, as the next two.
        padding (tuple[int, int]): Zeros around the input.
        dilation (tuple[int, int]): Pixels between kernel positions.
        groups (int): Groups of channels of the convolution.
        deform_groups (int): D.

    Returns:
        Tensor: (B, O, h, w).
    """
    dtype = input.dtype
    if not len(input):
        return input.new_zeros(0, len(weight), *offset.shape[2:])
    compute = torch.promote_types(dtype, torch.float32)  # halves cannot tell pixels apart
    input, weight, offset = input.to(compute), weight.to(compute), offset.to(compute)
    # A row and a column of zeros, which are there anyway: grid_sample needs two pixels to tell places.
    input = F.pad(input, (0, 1, 0, 1))
    batch, _, height, width = input.shape
    kernel, (rows, columns) = weight.shape[2:], offset.shape[2:]
    num = kernel[0] * kernel[1]
    options = dict(device=input.device, dtype=input.dtype)
    moved = offset.view(batch, deform_groups, num, 2, rows, columns)
    ky, kx = torch.meshgrid(
        torch.arange(kernel[0], **options) * dilation[0] - padding[0],
        torch.arange(kernel[1], **options) * dilation[1] - padding[1],
        indexing='ij',
    )
    y = moved[:, :, :, 0] + ky.flatten()[:, None, None] + (torch.arange(rows, **options) * stride[0])[:, None]
    x = moved[:, :, :, 1] + kx.flatten()[:, None, None] + torch.arange(columns, **options) * stride[1]
    # With align_corners=True, -1 and 1 are the centers of the first and the last pixel.
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)  # (B, D, K, h, w, 2)
    samples = F.grid_sample(
        input.reshape(batch * deform_groups, -1, height, width),
        grid.flatten(0, 1).flatten(1, 2),  # (B * D, K * h, w, 2)
        align_corners=True,
    ).view(batch, deform_groups, -1, num, rows, columns)  # (B, D, C / D, K, h, w)
    if mask is not None:
        samples = samples * mask.view(batch, deform_groups, 1, num, rows, columns)
    samples = samples.reshape(batch, groups, -1, rows * columns)  # (B, groups, C / groups * K, h * w)
    kernels = weight.reshape(groups, -1, samples.shape[2])  # (groups, O / groups, C / groups * K)
    with torch.autocast(input.device.type, enabled=False):
        out = kernels @ samples  # (B, groups, O / groups, h * w)
    return out.view(batch, -1, rows, columns).to(dtype)  # (B, O, h, w)
