# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.engine.loops.validate_loop import ValidateLoop
from mmrdn.engine.loops.video_test_loop import VideoTestLoop

__all__ = ['ValidateLoop', 'VideoTestLoop']
