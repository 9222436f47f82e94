# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.model_converters.detector_conversion import convert_detector
from mmrdn.model_converters.key_coverage import KeyCoverage
from mmrdn.model_converters.mega_conversion import MegaConversion, convert_mega, convert_state_dict
from mmrdn.model_converters.source_detector import SourceDetector, read_source

__all__ = [
    'KeyCoverage',
    'MegaConversion',
    'SourceDetector',
    'convert_detector',
    'convert_mega',
    'convert_state_dict',
    'read_source',
]
