# Copyright (c) mmrdn contributors. All rights reserved.
from .base_writer import BaseWriter
from .coco_vid_writer import CocoVidWriter
from .image_folder_writer import ImageFolderWriter
from .json_lines_writer import JsonLinesWriter
from .mot_writer import MotWriter
from .stdout_writer import StdoutWriter
from .video_writer import VideoWriter

__all__ = [
    'BaseWriter', 'CocoVidWriter', 'ImageFolderWriter', 'JsonLinesWriter',
    'MotWriter', 'StdoutWriter', 'VideoWriter'
]
