# Copyright (c) mmrdn contributors. All rights reserved.
"""RoIAlign on CUDA: mmcv's compiled kernels, torchvision's, or plain torch.

Legend: B images, C channels, H x W pixels, n RoIs, P x Q output bins.
"""

import functools
import importlib
from typing import Any

import torch
from torch import Tensor
from torch._C import _dispatch_has_kernel_for_dispatch_key as has_kernel

from mmrdn.ops import roi_align_torch


@functools.lru_cache(maxsize=1)
def kernels() -> tuple[str, Any]:
    """Name and module of the best kernels that there are."""
    for name, module in (('mmcv', 'mmcv._ext'), ('torchvision', 'torchvision.ops')):
        try:
            found = importlib.import_module(module)
            if name == 'mmcv':
                on_cuda = found.get_compiling_cuda_version() != 'not available'
            else:
                on_cuda = has_kernel('torchvision::roi_align', 'CUDA')
        except (ImportError, RuntimeError, AttributeError):  # absent, or built for another torch
            continue
        if on_cuda:
            return name, found
    return 'torch', None


def _kernels_for(dtype: torch.dtype) -> tuple[str, Any]:
    return ('torch', None) if dtype == torch.float64 else kernels()


def forward(input: Tensor, rois: Tensor, output_size: list[int], *settings) -> Tensor:
    """(n, C, P, Q) of feature maps (B, C, H, W) and RoIs (n, 5)."""
    name, module = _kernels_for(input.dtype)
    if name == 'torch':
        return roi_align_torch.forward(input, rois, output_size, *settings).to(input.dtype)
    feats, boxes = input.float().contiguous(), rois.float().contiguous()
    if name == 'mmcv':
        out, unused = feats.new_zeros(len(boxes), feats.shape[1], *output_size), feats.new_zeros(0)
        module.roi_align_forward(feats, boxes, out, unused, unused, **_mmcv_settings(output_size, *settings))
    else:
        out = torch.ops.torchvision.roi_align(feats, boxes, settings[0], *output_size, *settings[1:])
    return out.to(input.dtype)


def backward(grad: Tensor, rois: Tensor, shape: list[int], *settings) -> Tensor:
    """Gradient (B, C, H, W) of the feature maps, channels last, of ``grad`` (n, C, P, Q)."""
    name, module = _kernels_for(grad.dtype)
    given, boxes, size = grad.float().contiguous(), rois.float().contiguous(), grad.shape[2:]
    if name == 'torch':
        found = roi_align_torch.backward(grad, rois, shape, *settings)
    elif name == 'mmcv':
        found, unused = given.new_zeros(shape), given.new_zeros(0)
        module.roi_align_backward(given, boxes, unused, unused, found, **_mmcv_settings(size, *settings))
    else:
        found = torch.ops.torchvision._roi_align_backward(given, boxes, settings[0], *size, *shape, *settings[1:])
    return found.to(grad.dtype).contiguous(memory_format=torch.channels_last)


def _mmcv_settings(size: list[int], spatial_scale: float, sampling_ratio: int, aligned: bool) -> dict:
    return dict(
        aligned_height=size[0],
        aligned_width=size[1],
        spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio,
        pool_mode=1,
        aligned=aligned,
    )
