# Copyright (c) mmrdn contributors. All rights reserved.
# A name is imported when it is used: reading a config needs no model.
import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        'config_files': ['find_model', 'load_config'],
        'runner': ['build_runner', 'claim_work_dir', 'enable_amp', 'find_resume'],
        'training': ['train'],
        'video_inferencer': ['VideoInferencer', 'VideoSummary'],
    },
)
