# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for video object detection."""

from mmrdn import compat
from mmrdn.version import __version__

compat.apply()
# MMEngine's files are whole, and its checkpoints are read as data, whoever imports it.
compat.import_beside('mmengine', 'mmrdn.fileio.whole_file_backend')
compat.import_beside('mmengine.runner', 'mmrdn.fileio.checkpoint')

__all__ = ['__version__']
