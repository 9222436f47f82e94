# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.models.task_modules.byte_tracker import ByteTracker
from mmrdn.models.task_modules.inclusive_box_coder import InclusiveDeltaXYWHBBoxCoder
from mmrdn.models.task_modules.rounded_anchor_generator import RoundedAnchorGenerator
from mmrdn.models.task_modules.selective_support_sampler import SelectiveSupportSampler

__all__ = ['ByteTracker', 'InclusiveDeltaXYWHBBoxCoder', 'RoundedAnchorGenerator', 'SelectiveSupportSampler']
