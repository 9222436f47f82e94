# Copyright (c) mmrdn contributors. All rights reserved.
"""Stand-in for ``mmcv._ext``, mmcv's compiled operators, where mmcv comes without them.

The functions have the names and arguments of the compiled ones: outputs and gradients are tensors
that the caller made. What is not here raises, in one line, when it is called.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrdn.ops import nms_cpu, roi_align_torch
from mmrdn.ops.deformable import deform_conv
from mmrdn.ops.nms import nms as _nms
from mmrdn.ops.roi_align import roi_align
from mmrdn.ops.roi_align import roi_align_backward as _roi_align_backward

is_stand_in = True
_SMALLEST = torch.finfo(torch.float32).tiny


def __getattr__(name: str) -> Callable:
    """Return a function that raises: the operator is missing."""
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise NotImplementedError(f'mmcv.ops: {name} needs the compiled mmcv: run `make setup OPS=compiled`')

    return missing


def get_compiler_version() -> str:
    """Say that nothing was compiled (mmcv's report of the environment)."""
    return 'none (mmrdn.ops)'


def get_compiling_cuda_version() -> str:
    """Say that nothing was compiled (mmcv's report of the environment)."""
    return 'not available'


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """See :func:`mmrdn.ops.nms`."""
    return _nms(boxes, scores, iou_threshold, offset)


def softnms(boxes: Tensor, scores: Tensor, dets: Tensor, **settings) -> Tensor:
    """Fill the first rows of ``dets`` (n, 5), see :func:`mmrdn.ops.nms_cpu.soft_nms`."""
    inds, new = nms_cpu.soft_nms(boxes, scores, **settings)
    dets[: len(inds)] = torch.cat([boxes[inds], new[:, None]], 1)
    return inds


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """See :func:`mmrdn.ops.nms_cpu.nms_match`."""
    return nms_cpu.nms_match(dets, iou_threshold)


def roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, pool_mode: int, **settings
) -> None:
    """Fill ``output`` (n, C, h, w) with means (``pool_mode=1``) or maxima of samples and their places."""
    function = roi_align_torch.max_forward if pool_mode == 0 else lambda *args: [roi_align(*args)]
    found = function(input, rois, _bins(settings, 'aligned'), *_sampling(**settings))
    for target, values in zip((output, argmax_y, argmax_x), found):
        target.copy_(values)


def roi_align_backward(
    grad: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor, pool_mode: int, **settings
) -> None:
    """Fill ``grad_input`` (B, C, H, W)."""
    shape = list(grad_input.shape)
    if pool_mode == 0:
        found = roi_align_torch.max_backward(grad, rois, argmax_y, argmax_x, shape)
    else:
        found = _roi_align_backward(grad, rois, shape, *_sampling(**settings))
    grad_input.copy_(found)


def _bins(settings: dict, kind: str) -> tuple[int, int]:
    """Rows and columns of bins."""
    return settings[f'{kind}_height'], settings[f'{kind}_width']


def _sampling(spatial_scale: float, sampling_ratio: int, aligned: bool, **others) -> tuple[float, int, bool]:
    """The settings of RoIAlign in their order."""
    return spatial_scale, sampling_ratio, aligned


def roi_pool_forward(input: Tensor, rois: Tensor, output: Tensor, argmax: Tensor, **settings) -> None:
    """Fill ``output`` and ``argmax`` (n, C, h, w)."""
    found = roi_align_torch.pool_forward(input, rois, _bins(settings, 'pooled'), settings['spatial_scale'])
    for target, values in zip((output, argmax), found):
        target.copy_(values)


def roi_pool_backward(grad: Tensor, rois: Tensor, argmax: Tensor, grad_input: Tensor, **settings) -> None:
    """Fill ``grad_input`` (B, C, H, W)."""
    grad_input.copy_(roi_align_torch.pool_backward(grad, rois, argmax, grad_input.shape))


def _fill_gradients(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], grad_output: Tensor, targets: Sequence[Tensor]
) -> None:
    """Add the gradients of ``function(*inputs)`` to ``targets``, one for each input."""
    with torch.enable_grad(), torch.autocast(grad_output.device.type, enabled=False):
        leaves = [value.detach().requires_grad_() for value in inputs]
        found = torch.autograd.grad(function(*leaves), leaves, grad_output)
    for target, grad in zip(targets, found):
        target += grad.view_as(target)


def _sigmoid_focal(input: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float) -> Tensor:
    """(n, C) losses (Lin et al., ICCV 2017); the last class, C, is the background."""
    x = input if input.dtype == torch.float64 else input.float()
    positive = target[:, None] == torch.arange(input.shape[1], device=input.device)
    of_positive = -alpha * (-x).sigmoid() ** gamma * F.logsigmoid(x)
    of_negative = -(1 - alpha) * x.sigmoid() ** gamma * F.logsigmoid(-x)
    loss = torch.where(positive, of_positive, of_negative)
    return loss * weight[target][:, None] if len(weight) else loss


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor, **settings) -> None:
    """Fill ``output`` (n, C)."""
    output.copy_(_sigmoid_focal(input, target, weight, **settings))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, **settings) -> None:
    """Add to ``grad_input`` (n, C)."""
    loss = partial(_sigmoid_focal, target=target, weight=weight, **settings)
    _fill_gradients(loss, [input], torch.ones_like(input), [grad_input])


def _softmax_focal(prob: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float) -> Tensor:
    """(n,) losses of softmax outputs (n, C); negative targets have none."""
    label = target.clamp(min=0)
    own = prob.gather(1, label[:, None])[:, 0]
    loss = -alpha * (1 - own) ** gamma * own.clamp(min=_SMALLEST).log() * (target >= 0)
    return loss * weight[label] if len(weight) else loss


def softmax_focal_loss_forward(softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, **settings) -> None:
    """Fill ``output`` (n,)."""
    output.copy_(_softmax_focal(softmax, target, weight, **settings).view_as(output))


def softmax_focal_loss_backward(
    softmax: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Add the gradient of the logits to ``grad_input`` (n, C)."""
    label = target.clamp(min=0)
    own = softmax.gather(1, label[:, None])[:, 0].double()
    power = gamma * (1 - own) ** (gamma - 1) * own * own.clamp(min=_SMALLEST).log()
    factor = alpha * (power - (1 - own) ** gamma) * (target >= 0)
    factor = factor * weight[label] if len(weight) else factor
    grad_input += factor[:, None] * (F.one_hot(label, softmax.shape[1]) - softmax.double())


def _attend(shapes: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """mmcv's own function in plain torch, for maps of these shapes."""
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return lambda value, places, weights: multi_scale_deformable_attn_pytorch(value, shapes, places, weights)


def ms_deform_attn_forward(
    value: Tensor, shapes: Tensor, starts: Tensor, places: Tensor, weights: Tensor, im2col_step: int
) -> Tensor:
    """(B, N, C), multi-scale deformable attention (Zhu et al., Deformable DETR, ICLR 2021)."""
    return _attend(shapes)(value, places, weights)


def ms_deform_attn_backward(
    value: Tensor, shapes: Tensor, starts: Tensor, places: Tensor, weights: Tensor, grad: Tensor, *targets: Tensor, **_
) -> None:
    """Add to the gradients of values, places and weights."""
    _fill_gradients(_attend(shapes), [value, places, weights], grad, targets)


def _deform_conv(settings: dict, *names: str) -> Callable[..., Tensor]:
    """Deformable convolution as a function of input, weight, offset and, in version 2, mask and bias.

    Args:
        settings (dict): Settings by mmcv's names.
        *names (str): Names of stride, padding and dilation: rows, then columns, of each.
    """
    pairs = [(settings[rows], settings[columns]) for rows, columns in zip(names[::2], names[1::2])]
    groups = settings['group'], settings['deformable_group']

    def function(input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None = None, *bias: Tensor) -> Tensor:
        out = deform_conv(input, weight, offset, mask, *pairs, *groups)
        return out + bias[0][:, None, None] if bias else out

    return function


_NAMES = ('dH', 'dW', 'padH', 'padW', 'dilationH', 'dilationW')
_NAMES_V2 = ('stride_h', 'stride_w', 'pad_h', 'pad_w', 'dilation_h', 'dilation_w')


def modulated_deform_conv_forward(*tensors: Tensor, with_bias: bool, **settings) -> None:
    """Fill the output (B, O, h, w), see :func:`mmrdn.ops.deformable.deform_conv`."""
    input, weight, bias, _, offset, mask, output, _ = tensors
    output.copy_(_deform_conv(settings, *_NAMES_V2)(input, weight, offset, mask, *[bias] * with_bias))


def modulated_deform_conv_backward(*tensors: Tensor, with_bias: bool, **settings) -> None:
    """Add to the gradients."""
    input, weight, bias, _, offset, mask, _, *targets, grad_output = tensors
    grad_input, grad_weight, grad_bias, grad_offset, grad_mask = targets
    inputs, targets = [input, weight, offset, mask], [grad_input, grad_weight, grad_offset, grad_mask]
    if with_bias:
        inputs, targets = [*inputs, bias], [*targets, grad_bias]
    _fill_gradients(_deform_conv(settings, *_NAMES_V2), inputs, grad_output, targets)


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **settings
) -> None:
    """Fill ``output`` (B, O, h, w)."""
    output.copy_(_deform_conv(settings, *_NAMES)(input, weight, offset).view_as(output))


def deform_conv_backward_input(
    input: Tensor, offset: Tensor, grad: Tensor, grad_input: Tensor, grad_offset: Tensor, weight: Tensor, *_, **settings
) -> None:
    """Add to the gradients of input and offset."""
    convolve = _deform_conv(settings, *_NAMES)
    _fill_gradients(
        lambda input, offset: convolve(input, weight, offset), [input, offset], grad, [grad_input, grad_offset]
    )


def deform_conv_backward_parameters(
    input: Tensor, offset: Tensor, grad: Tensor, grad_weight: Tensor, columns: Tensor, ones: Tensor, **settings
) -> None:
    """Add to the gradient of the weight."""
    convolve = _deform_conv(settings, *_NAMES)
    _fill_gradients(
        lambda weight: convolve(input, weight, offset), [torch.zeros_like(grad_weight)], grad, [grad_weight]
    )
