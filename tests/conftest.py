# Copyright (c) mmrdn contributors. All rights reserved.
import os
import sys

# Threads that wait must not burn the cores that other tests need.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')
sys.path.insert(0, os.path.dirname(__file__))

import mmrdn  # noqa: E402, F401  (makes mmtrack importable)
