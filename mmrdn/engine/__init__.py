# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.engine.guarded_runner import GuardedRunner
from mmrdn.engine.hooks import *
from mmrdn.engine.log_processor import LogProcessor
from mmrdn.engine.loops import *
from mmrdn.engine.optim_wrappers import *
