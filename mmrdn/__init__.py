# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for video object detection."""

from importlib.util import find_spec

from mmrdn import compat
from mmrdn.version import __version__

# A checkout may be the directory in which mmrdn-runtime is run: where that is installed without torch, there is
# nothing to make fit.
if find_spec('torch') or not find_spec('mmrdn_runtime'):
    compat.apply()
    # MMEngine's files are whole, and its checkpoints are read as data, whoever imports it.
    compat.import_beside('mmengine', 'mmrdn.fileio.whole_file_backend')
    compat.import_beside('mmengine.runner', 'mmrdn.fileio.checkpoint')

__all__ = ['__version__']
