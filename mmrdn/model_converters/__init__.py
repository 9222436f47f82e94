# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.model_converters.convert_detector import convert_detector
from mmrdn.model_converters.convert_mega import MegaConversion, convert_mega, convert_state_dict
from mmrdn.model_converters.key_coverage import KeyCoverage
from mmrdn.model_converters.new_checkpoint import NewCheckpoint
from mmrdn.model_converters.read_source import read_source
from mmrdn.model_converters.source_detector import SourceDetector

__all__ = [
    'KeyCoverage',
    'MegaConversion',
    'NewCheckpoint',
    'SourceDetector',
    'convert_detector',
    'convert_mega',
    'convert_state_dict',
    'read_source',
]
