# Copyright (c) mmrdn contributors. All rights reserved.
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmrdn.registry import HOOKS

_MIN_CHANNELS = 16  # from here on oneDNN stays within its buffers, whatever vectors the CPU has


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keeps the weights of convolutions, and so the feature maps, channels last.

    Results are the same up to rounding. Convolutions are faster that way on CPUs, and on GPUs in
    mixed precision. Convolutions of 1x1 with a stride and few channels stay contiguous: oneDNN
    writes past its buffer in their backward pass, see ``docs/onednn_overrun.md``.
    """

    def __init__(self) -> None:
        self._handles: list = []

    def before_run(self, runner: Runner) -> None:
        """Change the memory format before training or testing."""
        runner.model.to(memory_format=torch.channels_last)
        for handle in self._handles:  # of an earlier run
            handle.remove()
        self._handles = []
        for module in runner.model.modules():
            if _overruns(module):
                module.to(memory_format=torch.contiguous_format)
                # Weights alone do not decide: either of the two makes torch choose channels last.
                self._handles.append(module.register_forward_pre_hook(_make_contiguous))


def _overruns(module: nn.Module) -> bool:
    """Return whether the backward pass of a module would write past a buffer, channels last."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and max(module.stride) > 1
        and module.in_channels // module.groups < _MIN_CHANNELS
    )


def _make_contiguous(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(arg.contiguous() for arg in args)
