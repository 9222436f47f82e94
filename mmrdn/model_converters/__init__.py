# Copyright (c) mmrdn contributors. All rights reserved.
from .convert_mega import MegaConversion, convert_mega, convert_state_dict
from .key_coverage import KeyCoverage
from .new_checkpoint import NewCheckpoint

__all__ = [
    'KeyCoverage', 'MegaConversion', 'NewCheckpoint', 'convert_mega',
    'convert_state_dict'
]
