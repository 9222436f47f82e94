# Copyright (c) mmrdn contributors. All rights reserved.
"""The version of mmrdn."""

__version__ = '0.1.0'
