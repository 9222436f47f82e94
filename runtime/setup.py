# Copyright (c) mmrdn contributors. All rights reserved.
"""Build in a temporary directory; all else stands in pyproject.toml.

A wheel holds whatever is in the build directory: in one that stays, also modules that are gone since.
"""

import tempfile

from setuptools import setup

with tempfile.TemporaryDirectory(prefix='mmrdn-runtime-build-') as directory:
    setup(options=dict(build=dict(build_base=directory), egg_info=dict(egg_base=directory)))
