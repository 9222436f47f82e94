# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.video.writers.base_writer import BaseWriter
from mmrdn.video.writers.coco_vid_writer import CocoVidWriter
from mmrdn.video.writers.image_folder_writer import ImageFolderWriter
from mmrdn.video.writers.json_lines_writer import JsonLinesWriter, StdoutWriter
from mmrdn.video.writers.mot_writer import MotWriter
from mmrdn.video.writers.video_writer import VideoWriter

__all__ = [
    'BaseWriter',
    'CocoVidWriter',
    'ImageFolderWriter',
    'JsonLinesWriter',
    'MotWriter',
    'StdoutWriter',
    'VideoWriter',
]
