# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.apis.metafile import update_metafile
from mmrdn.apis.metafile_entry import make_entry
from mmrdn.apis.model_zoo import find_model
from mmrdn.apis.publishing import publish_model
from mmrdn.apis.runner import build_runner, claim_work_dir, enable_amp, find_resume, load_config
from mmrdn.apis.video_inferencer import VideoInferencer
from mmrdn.apis.video_summary import VideoSummary

__all__ = [
    'VideoInferencer',
    'VideoSummary',
    'build_runner',
    'claim_work_dir',
    'enable_amp',
    'find_model',
    'find_resume',
    'load_config',
    'make_entry',
    'publish_model',
    'update_metafile',
]
