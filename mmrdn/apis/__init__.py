# Copyright (c) mmrdn contributors. All rights reserved.
from .metafile import update_metafile
from .metafile_entry import make_entry
from .model_zoo import find_model
from .publishing import publish_model
from .runner import (build_runner, claim_work_dir, enable_amp, find_resume,
                     load_config)
from .video_inferencer import VideoInferencer
from .video_summary import VideoSummary

__all__ = [
    'VideoInferencer', 'VideoSummary', 'build_runner', 'claim_work_dir',
    'enable_amp', 'find_model', 'find_resume', 'load_config', 'make_entry',
    'publish_model', 'update_metafile'
]
