# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.apis.config_files import find_model, load_config
from mmrdn.apis.runner import build_runner, claim_work_dir, enable_amp, find_resume
from mmrdn.apis.training import train
from mmrdn.apis.video_inferencer import VideoInferencer
from mmrdn.inference.video_outputs import VideoSummary

__all__ = [
    'VideoInferencer',
    'VideoSummary',
    'build_runner',
    'claim_work_dir',
    'enable_amp',
    'find_model',
    'find_resume',
    'load_config',
    'train',
]
