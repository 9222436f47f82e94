# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.transforms.loading import LoadFrame
from mmrdn.datasets.transforms.pack_track_inputs import PackTrackInputs
from mmrdn.datasets.transforms.shorter_side_resize import ShorterSideResize
from mmrdn.datasets.transforms.skippable_frame import SkippableFrame, collate_skippable

__all__ = ['LoadFrame', 'PackTrackInputs', 'ShorterSideResize', 'SkippableFrame', 'collate_skippable']
