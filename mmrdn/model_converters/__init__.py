# Copyright (c) mmrdn contributors. All rights reserved.
from .convert_detector import convert_detector
from .convert_mega import MegaConversion, convert_mega, convert_state_dict
from .key_coverage import KeyCoverage
from .new_checkpoint import NewCheckpoint
from .read_source import read_source
from .source_detector import SourceDetector

__all__ = [
    'KeyCoverage', 'MegaConversion', 'NewCheckpoint', 'SourceDetector',
    'convert_detector', 'convert_mega', 'convert_state_dict', 'read_source'
]
