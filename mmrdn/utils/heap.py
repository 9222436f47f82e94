# Copyright (c) mmrdn contributors. All rights reserved.
"""Memory of a process that computes on a CPU."""

import ctypes
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of mallopt(3)
_NEVER = 2**31 - 1  # bytes


def keep_freed_memory(device: 'torch.device') -> None:
    """On a CPU, keep freed memory for what is computed next, until the process ends.

    glibc returns each block of more than 32 MiB to the system, which clears each page of the next
    one. With feature maps that large, this takes up to half of a network's time. Results are the
    same. Has no effect on accelerators or with another C library than glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
    if mallopt and device.type == 'cpu':
        mallopt(_M_MMAP_MAX, 0)  # else blocks beyond its limit are still returned
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
