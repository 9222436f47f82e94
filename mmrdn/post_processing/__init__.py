# Copyright (c) mmrdn contributors. All rights reserved.
from .base_box_linker import BaseBoxLinker, LinkedBoxes
from .box_linking_with_relations import BoxLinkingWithRelations
from .build_linker import build_linker
from .sample_linker import SampleLinker, link_video
from .seq_nms import SeqNMS
from .tube_linking import TubeLinking
from .video_linker import VideoLinker

__all__ = [
    'BaseBoxLinker', 'BoxLinkingWithRelations', 'LinkedBoxes', 'SampleLinker',
    'SeqNMS', 'TubeLinking', 'VideoLinker', 'build_linker', 'link_video'
]
