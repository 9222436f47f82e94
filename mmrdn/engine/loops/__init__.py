# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.engine.loops.validate_loop import ValidateLoop

__all__ = ['ValidateLoop']
