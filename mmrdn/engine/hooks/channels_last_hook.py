# Copyright (c) mmrdn contributors. All rights reserved.
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keeps the weights of convolutions, and so the feature maps, channels last.

    Results are the same up to rounding. Convolutions are faster that way on CPUs, and on GPUs in
    mixed precision.
    """

    def before_run(self, runner: Runner) -> None:
        """Change the memory format before training or testing."""
        runner.model.to(memory_format=torch.channels_last)
