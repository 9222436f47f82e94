# Copyright (c) mmrdn contributors. All rights reserved.
import mmtrack.datasets.transforms  # noqa: F401  (names of mmtrack resolve once they are in its registry node)

from mmrdn.datasets.transforms.load_frame_from_video import LoadFrameFromVideo
from mmrdn.datasets.transforms.load_track_annotations import LoadTrackAnnotations
from mmrdn.datasets.transforms.loading import LoadFrame
from mmrdn.datasets.transforms.pack_track_inputs import PackTrackInputs
from mmrdn.datasets.transforms.shorter_side_resize import ShorterSideResize
from mmrdn.datasets.transforms.skippable_frame import SkippableFrame, collate_skippable
from mmrdn.datasets.transforms.transform_broadcaster import TransformBroadcaster

__all__ = [
    'LoadFrame',
    'LoadFrameFromVideo',
    'LoadTrackAnnotations',
    'PackTrackInputs',
    'ShorterSideResize',
    'SkippableFrame',
    'TransformBroadcaster',
    'collate_skippable',
]
