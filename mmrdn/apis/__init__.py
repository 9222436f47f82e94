# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.apis.package_files import find_model
from mmrdn.apis.runner import build_runner, claim_work_dir, enable_amp, find_resume, load_config
from mmrdn.apis.video_inferencer import VideoInferencer
from mmrdn.inference.video_summary import VideoSummary

__all__ = [
    'VideoInferencer',
    'VideoSummary',
    'build_runner',
    'claim_work_dir',
    'enable_amp',
    'find_model',
    'find_resume',
    'load_config',
]
