# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.post_processing.base_box_linker import BaseBoxLinker, LinkedBoxes
from mmrdn.post_processing.box_linking_with_relations import BoxLinkingWithRelations
from mmrdn.post_processing.build_linker import build_linker
from mmrdn.post_processing.sample_linker import SampleLinker, link_video
from mmrdn.post_processing.seq_nms import SeqNMS
from mmrdn.post_processing.tube_linking import TubeLinking
from mmrdn.post_processing.video_linker import VideoLinker

__all__ = [
    'BaseBoxLinker',
    'BoxLinkingWithRelations',
    'LinkedBoxes',
    'SampleLinker',
    'SeqNMS',
    'TubeLinking',
    'VideoLinker',
    'build_linker',
    'link_video',
]
