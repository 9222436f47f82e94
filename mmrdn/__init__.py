# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for video object detection."""
from . import compat
from .version import __version__

compat.apply()

__all__ = ['__version__']
