# Copyright (c) mmrdn contributors. All rights reserved.
import ctypes
import sys

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrdn.registry import HOOKS

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of mallopt(3)
_NEVER = 2**31 - 1  # bytes


@HOOKS.register_module()
class KeepMemoryHook(Hook):
    """On a CPU, keeps freed memory for the next iteration instead of returning it to the system.

    glibc returns each block of more than 32 MiB, and the system clears each page of the next one:
    up to half the time of a training whose feature maps are that large. Results are the same. It
    has no effect on accelerators or with another C library than glibc.
    """

    def before_run(self, runner: Runner) -> None:
        """Set up the allocator, before training or testing, until the process ends."""
        mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
        if mallopt and next(runner.model.parameters()).device.type == 'cpu':
            mallopt(_M_MMAP_MAX, 0)  # else blocks beyond the limit are still returned
            mallopt(_M_TRIM_THRESHOLD, _NEVER)
