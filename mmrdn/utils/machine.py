# Copyright (c) mmrdn contributors. All rights reserved.
import platform
from pathlib import Path
from typing import Any

import torch

from mmrdn.version import __version__


def machine() -> dict[str, Any]:
    """Return CPU, GPU, threads and versions, on which measured times depend."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith('model name'):
                name = line.split(': ')[1]
                break
    found = dict(cpu=name, threads=torch.get_num_threads(), torch=torch.__version__, mmrdn=__version__)
    if torch.cuda.is_available():
        found['gpu'] = torch.cuda.get_device_name()
    return found
