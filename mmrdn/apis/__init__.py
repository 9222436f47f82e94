# Copyright (c) mmrdn contributors. All rights reserved.
from .runner import (build_runner, claim_work_dir, enable_amp, find_resume,
                     load_config)

__all__ = [
    'build_runner', 'claim_work_dir', 'enable_amp', 'find_resume',
    'load_config'
]
