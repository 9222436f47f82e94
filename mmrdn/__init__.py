# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for video object detection."""

from mmrdn import compat
from mmrdn.version import __version__

compat.apply()

from mmrdn.fileio.checkpoint import install_safe_loading  # noqa: E402  (compat makes it importable)

install_safe_loading()

__all__ = ['__version__']
