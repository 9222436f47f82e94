# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.engine.optim_wrappers.cpu_amp_optim_wrapper import CPUAmpOptimWrapper

__all__ = ['CPUAmpOptimWrapper']
