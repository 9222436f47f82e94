# Copyright (c) mmrdn contributors. All rights reserved.
"""The machine that times are measured on, and its clock."""

import platform
import re
import time
from pathlib import Path
from typing import Any

import torch

from mmrdn.version import __version__


def machine() -> dict[str, Any]:
    """Return CPU, GPU, threads and versions, on which measured times depend."""
    cpuinfo = Path('/proc/cpuinfo')
    name = cpuinfo.exists() and re.search(r'(?m)^model name\s*: (.*)$', cpuinfo.read_text())
    cpu = name[1] if name else platform.processor() or platform.machine()
    found = dict(cpu=cpu, threads=torch.get_num_threads(), torch=torch.__version__, mmrdn=__version__)
    if torch.cuda.is_available():
        found['gpu'] = torch.cuda.get_device_name()
    return found


def idle_time() -> float:
    """Return the time in seconds, once the GPU is idle."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
