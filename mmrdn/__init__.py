# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for video object detection."""

from mmrdn import compat
from mmrdn.version import __version__

compat.apply()

from mmrdn.fileio.checkpoint import install_safe_loading  # noqa: E402  (compat makes it importable)
from mmrdn.fileio.whole_file_backend import install_whole_files  # noqa: E402

install_safe_loading()
install_whole_files()

__all__ = ['__version__']
