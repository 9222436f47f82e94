# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.post_processing.base_box_linker import BaseBoxLinker, LinkedBoxes
from mmrdn.post_processing.box_linking_with_relations import BoxLinkingWithRelations
from mmrdn.post_processing.seq_nms import SeqNMS
from mmrdn.post_processing.tube_linking import TubeLinking
from mmrdn.post_processing.video_linker import VideoLinker, link_video

LINKERS = (BoxLinkingWithRelations, SeqNMS, TubeLinking)  # those that have names in configs and commands

__all__ = [
    'LINKERS',
    'BaseBoxLinker',
    'BoxLinkingWithRelations',
    'LinkedBoxes',
    'SeqNMS',
    'TubeLinking',
    'VideoLinker',
    'link_video',
]
