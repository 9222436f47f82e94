# Copyright (c) mmrdn contributors. All rights reserved.
"""Memory of a process that computes on a CPU."""

import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of mallopt(3)
_NEVER = -1


def keep_freed_memory(device: 'torch.device') -> None:
    """On a CPU, keep freed memory for what is computed next, until the process ends.

    glibc returns each block of more than 32 MiB to the system, which clears each page of the next
    one. With feature maps that large, this takes up to half of a network's time. Results are the
    same. The process stays as large as it was at most, and only its main thread gains. Has no effect
    on accelerators, with another C library than glibc, or if the environment sets up glibc's memory
    (``MALLOC_...``, ``GLIBC_TUNABLES``).
    """
    is_set_up = any(name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES' for name in os.environ)
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
    if mallopt and device.type == 'cpu' and not is_set_up:
        mallopt(_M_MMAP_MAX, 0)  # else blocks beyond its limit are still returned
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
