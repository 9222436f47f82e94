# Copyright (c) mmrdn contributors. All rights reserved.
from .validate_loop import ValidateLoop

__all__ = ['ValidateLoop']
