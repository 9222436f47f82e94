# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for video object detection."""

from mmrdn import compat
from mmrdn.version import __version__

compat.apply()

__all__ = ['__version__']
