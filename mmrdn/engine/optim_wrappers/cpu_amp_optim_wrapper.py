# Copyright (c) mmrdn contributors. All rights reserved.
from contextlib import contextmanager

import torch
import torch.nn as nn
from mmengine.optim import OptimWrapper

from mmrdn.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Automatic mixed precision on the CPU: bfloat16, no loss scaling.

    MMEngine's ``AmpOptimWrapper`` refuses to run without an accelerator.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Run the forward pass under bfloat16 autocast."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
