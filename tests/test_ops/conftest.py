# Copyright (c) mmrdn contributors. All rights reserved.
import sys
from unittest import mock

import mmcv.ops  # noqa: F401
import pytest

from mmrdn.ops import mmcv_ext


@pytest.fixture
def stand_in():
    """Every module of mmcv.ops calls the stand-in, also where mmcv is compiled."""
    modules = [module for name, module in sys.modules.items() if name.startswith('mmcv.ops.')]
    changed = [mock.patch.object(module, 'ext_module', mmcv_ext) for module in modules if hasattr(module, 'ext_module')]
    for patch in changed:
        patch.start()
    yield
    for patch in changed:
        patch.stop()
